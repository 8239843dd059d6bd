"""Parameters that are set after a fit count from the next one on."""

import numpy as np
import pytest
from sklearn.utils._param_validation import StrOptions
from systems import answer_of, fit_model, make_model, mostly_slow, target_of

from skmerc.datasets import make_conversations

OF_ANSWERS = {"prior", "output", "partial_nan"}
"""Parameters that say how a fitted model answers."""
X, y = make_conversations(12, n_turns=(3, 6), random_state=0)


def others(model, name):
    """Other values that the parameter may have."""
    value = getattr(model, name)
    for constraint in model._parameter_constraints[name]:
        if isinstance(constraint, StrOptions):
            yield from constraint.options - {value}
        if constraint is None and value is not None:
            yield None
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1


@pytest.mark.parametrize(
    ("name", "settings"),
    mostly_slow(
        [
            ("cberl", {"head": "boost"}),
            ("djvae", {}),
            ("dialoguegcn", {}),
            ("joyful", {}),
            ("regressor", {}),
            ("fuser", {}),
        ]
    ),
)
def test_answers_are_those_of_the_fit(name, settings):
    model = make_model(name, **settings)
    fit_model(model, name, X, target_of(name, X, y))
    expected = answer_of(model, name, X)
    names = set(model.get_params(deep=False)) & set(model._parameter_constraints)
    changed = 0
    for parameter in sorted(names - OF_ANSWERS - {"device", "verbose"}):
        before = getattr(model, parameter)
        for value in others(model, parameter):
            found = answer_of(model.set_params(**{parameter: value}), name, X)
            np.testing.assert_array_equal(found, expected, err_msg=parameter)
            changed += 1
        model.set_params(**{parameter: before})
    assert changed > 10
