"""The table of utterances that every estimator of the package reads.

One row is one utterance. Four key columns say where it stands in its dialogue,
all other columns are features, and a modality is the text before the first
``__`` of a column's name.
"""

from skmerc.frame._columns import KEYS, ROLES
from skmerc.frame._frame import (
    drop_keys,
    make_frame,
    mark_validation,
    read_keys,
    split_frame,
)

__all__ = [
    "KEYS",
    "ROLES",
    "drop_keys",
    "make_frame",
    "mark_validation",
    "read_keys",
    "split_frame",
]

# Saved models and pickles name these functions as users do, wherever they stand.
for _function in (drop_keys, make_frame, mark_validation, read_keys, split_frame):
    _function.__module__ = __name__
