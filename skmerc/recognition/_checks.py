"""What is refused before a network is built, and what `score` takes."""

import numpy as np

from skmerc._training import check_weight
from skmerc.frame._labels import read_labels
from skmerc.metrics._rows import labelled_rows


def plain(value):
    """Python's number in place of numpy's, which some layers of torch refuse."""
    return value.item() if isinstance(value, np.integer) else value


def scored_rows(X, y, sample_weight, *, numeric=False):
    """Check what `score` takes: rows that are no context, their labels and weights."""
    rows = labelled_rows(X)
    y = read_labels(y, ~rows, numeric=numeric)[rows]
    weight = check_weight(sample_weight, rows)[rows]
    if not weight.any():
        raise ValueError("sample_weight is 0 in all rows that can be scored.")
    return rows, y, weight


def most_speakers(table, rows):
    """Count the speakers of the dialogue that has the most, among some rows."""
    voices = np.stack([table.dialogue, table.speaker])[:, rows]
    return int(np.bincount(np.unique(voices, axis=1)[0]).max())
