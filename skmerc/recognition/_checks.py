"""What is refused before a network is built, and what `score` takes."""

import numpy as np

from skmerc._training import check_weight, resolve_device
from skmerc._utils.compat import validate_parameter_constraints
from skmerc.frame._labels import read_labels
from skmerc.metrics._scorers import labelled_rows


def check_net_settings(estimator):
    """Check callbacks, and `net_params` as the parameters of the same names."""
    given, constraints = estimator.net_params or {}, estimator._parameter_constraints
    own = {name: str(name).rpartition("__")[2] for name in given}
    validate_parameter_constraints(
        {name: constraints.get(own[name], "no_validation") for name in given},
        given,
        caller_name=f"net_params of {type(estimator).__name__}",
    )
    resolve_device(given.get("device", "cpu"))
    for callbacks in (estimator.callbacks, given.get("callbacks")):
        _check_callbacks(callbacks or [])


def _check_callbacks(callbacks):
    for given in callbacks:
        is_pair = isinstance(given, tuple) and len(given) == 2
        name, callback = given if is_pair else ("", given)
        is_callback = callback is None or hasattr(callback, "set_params")
        if not (is_callback and isinstance(name, str)):
            raise TypeError(
                f"callbacks holds {given!r}; give callbacks of skorch, alone or as "
                "(name, callback)."
            )


def runs_code_of_others(estimator):
    """Whether something is called in training that may draw as it likes."""
    known = getattr(estimator.optimizer, "__module__", "").startswith("torch.optim.")
    foreign = isinstance(getattr(estimator, "conv", None), type)
    return not known or foreign or bool(estimator.callbacks or estimator.net_params)


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
