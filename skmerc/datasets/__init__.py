"""Conversations to learn from: generated, downloaded, or read from files."""

from skmerc.datasets._fetch import fetch_meld_annotations
from skmerc.datasets._generated import make_conversations
from skmerc.datasets.corpora._dailydialog import load_dailydialog
from skmerc.datasets.corpora._emorynlp import load_emorynlp
from skmerc.datasets.corpora._iemocap import load_iemocap
from skmerc.datasets.corpora._meld import load_meld
from skmerc.datasets.corpora._mosei import load_mosei
from skmerc.datasets.corpora._mosi import load_mosi
from skmerc.datasets.tables._check_table import TableCheck, check_table
from skmerc.datasets.tables._stream import iter_table
from skmerc.datasets.tables._table import load_table
from skmerc.datasets.tables._to_frame import to_frame
from skmerc.datasets.transcripts._convokit import load_convokit
from skmerc.datasets.transcripts._messages import load_messages
from skmerc.datasets.transcripts._segments import load_segments
from skmerc.datasets.transcripts._slack import load_slack
from skmerc.datasets.transcripts._subtitles import load_subtitles
from skmerc.datasets.transcripts._telegram import load_telegram
from skmerc.datasets.transcripts._whatsapp import load_whatsapp

__all__ = [
    "TableCheck",
    "check_table",
    "fetch_meld_annotations",
    "iter_table",
    "load_convokit",
    "load_dailydialog",
    "load_emorynlp",
    "load_iemocap",
    "load_meld",
    "load_messages",
    "load_mosei",
    "load_mosi",
    "load_segments",
    "load_slack",
    "load_subtitles",
    "load_table",
    "load_telegram",
    "load_whatsapp",
    "make_conversations",
    "to_frame",
]
