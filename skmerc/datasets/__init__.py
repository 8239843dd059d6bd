"""Conversations to learn from: generated, downloaded, or read from files."""

from skmerc.datasets._conversations import make_conversations
from skmerc.datasets._dailydialog import load_dailydialog
from skmerc.datasets._emorynlp import load_emorynlp
from skmerc.datasets._fetch import fetch_meld_annotations
from skmerc.datasets._iemocap import load_iemocap
from skmerc.datasets._meld import load_meld
from skmerc.datasets._mosei import load_mosei
from skmerc.datasets._mosi import load_mosi
from skmerc.datasets._stream import iter_table
from skmerc.datasets._table import load_table
from skmerc.datasets._to_frame import to_frame

__all__ = [
    "fetch_meld_annotations",
    "iter_table",
    "load_dailydialog",
    "load_emorynlp",
    "load_iemocap",
    "load_meld",
    "load_mosei",
    "load_mosi",
    "load_table",
    "make_conversations",
    "to_frame",
]
