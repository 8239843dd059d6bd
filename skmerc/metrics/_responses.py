"""What scorers ask a model for, and columns of probabilities that fit the labels."""

from inspect import Parameter, signature

import numpy as np

METHODS = ("predict", "predict_proba", "decision_function")


def check_methods(response_method):
    """Return names of methods as a tuple; None stands for ``"predict"``."""
    given = "predict" if response_method is None else response_method
    names = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not names or not set(names) <= set(METHODS):
        raise ValueError(
            f"response_method={response_method!r}; give one of "
            f"{', '.join(map(repr, METHODS))}, or several in a list, of which the "
            "first that a model has is called."
        )
    return names


def ask(estimator, X, names):
    """Call the first of some methods that an estimator has.

    Returns
    -------
    name : str
        The method.
    answer : ndarray of shape (n_rows,) or (n_rows, n_columns)
        What it gives; for label sets one column for each label.
    """
    name = next((name for name in names if hasattr(estimator, name)), None)
    if name is None:
        raise AttributeError(
            f"The scorer calls {' or '.join(names)}, and {type(estimator).__name__} "
            "has no such method. Use a model that has it, or another response_method."
        )
    answer = getattr(estimator, name)(X)
    if isinstance(answer, list):  # a matrix for each label, as forests give
        kinds = estimator.classes_
        parts = [p @ np.asarray(kind) for p, kind in zip(answer, kinds, strict=True)]
        answer = np.stack(parts, axis=1)
    return name, np.asarray(answer)


def arrange(answer, known, kwargs, score_func, y):
    """Bring probabilities into the order of the labels that a score is told.

    `known` are the classes of the model, a column of `answer` each. The arguments of
    the score, `kwargs`, may name ``labels`` and ``pos_label``; where it can be told
    ``labels`` and is not, it is told the classes of the model and of `y`. Returns the
    probabilities, 0 for a class that the model does not know and of two labels those of
    the positive one, as in scikit-learn, and the arguments. A score that calls the
    labels ``classes``, as those of this package do, gets all columns.
    """
    _refuse_other_kinds(known, y)
    all_columns = "classes" in signature(score_func).parameters
    name = "classes" if all_columns else "labels"
    labels = kwargs.get(name)
    labels = np.union1d(known, y) if labels is None else np.unique(labels)
    absent = known[~np.isin(known, labels)]
    if len(absent):
        raise ValueError(
            f"{name}={labels.tolist()} of the scorer lacks {absent.tolist()[0]!r}, to "
            "which the model gives probabilities; name all of its classes."
        )
    p = np.zeros((len(answer), len(labels)), answer.dtype)
    p[:, np.searchsorted(labels, known)] = answer
    if takes(score_func, name):
        kwargs = kwargs | {name: labels}
    if all_columns or len(labels) != 2:
        return p, kwargs
    return p[:, _positive(labels, kwargs, score_func)], kwargs


def _refuse_other_kinds(known, y):
    """Refuse numbers where a model knows words, or words where it knows numbers."""
    trained, given = known.tolist()[0], y.tolist()[0]
    if isinstance(trained, str) != isinstance(given, str):
        raise ValueError(
            f"The model was trained on labels such as {trained!r}, and y holds "
            f"{given!r}. Give labels of one kind to both."
        )


def orient(decision, known, kwargs, score_func):
    """Turn the decisions between two classes towards the positive one."""
    if decision.ndim == 1 and _positive(known, kwargs, score_func) == 0:
        return -decision
    return decision


def takes(function, name):
    """Whether a function has an argument of that name, or takes any."""
    parameters = signature(function).parameters
    kinds = [parameter.kind for parameter in parameters.values()]
    return name in parameters or Parameter.VAR_KEYWORD in kinds


def _positive(labels, kwargs, score_func):
    """Position of the positive one of two classes."""
    parameter = signature(score_func).parameters.get("pos_label")
    default = None if parameter is None else parameter.default
    label = kwargs.get("pos_label", default)
    if label is None:
        return 1
    if label not in labels.tolist():
        raise ValueError(
            f"pos_label={label!r} is none of the classes {labels.tolist()}; name the "
            "positive one by pos_label=."
        )
    return labels.tolist().index(label)
