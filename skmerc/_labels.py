"""Labels of a table, some of which may be missing where nobody reads them."""

import numpy as np
import pandas as pd

from skmerc._columns import as_pandas


def complete_labels(y, context):
    """Give context rows without a label one of the others, which is ignored.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        The labels.
    context : ndarray of shape (n_rows,)
        Whether a row is context.

    Returns
    -------
    array-like of shape (n_rows,)
        `y` as it is, where no label is missing.

    Raises
    ------
    ValueError
        If a label is missing in another row.
    """
    labels = as_pandas(y)
    if y is None or np.ndim(labels) not in (1, 2) or len(labels) != len(context):
        return y  # for scikit-learn to refuse
    if np.ndim(labels) == 2:
        unread = context[:, None] & pd.isna(np.asarray(labels))
        return np.where(unread, 0, labels) if unread.any() else y
    labels = pd.Series(labels).reset_index(drop=True)
    missing = labels.isna().to_numpy()
    unknown = np.flatnonzero(missing & ~context)
    if len(unknown):
        raise ValueError(
            f"Input y contains NaN: the label is missing in {len(unknown)} rows, first "
            f"in row {unknown[0]}. Leave these rows out, or give them the role "
            "'context' if their neighbours shall still read them."
        )
    if not missing.any() or missing.all():
        return y
    return labels.where(~missing, labels[~missing].iloc[0]).to_numpy()
