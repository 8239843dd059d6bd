"""Parameters that are set after a fit count from the next one on."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions
from systems import answer_of, fit_model, make_model, mostly_slow, target_of

from skmerc.datasets import make_conversations
from skmerc.inspection import explain
from skmerc.live import LiveConversation
from skmerc.persistence import load_model, save_model

OF_ANSWERS = {"prior", "output", "partial_nan"}
"""Parameters that say how a fitted model answers."""
X, y = make_conversations(12, n_turns=(3, 6), random_state=0)
NAMES = "text", "audio", "visual"
BLOCKS = {name: [c for c in X if c.startswith(f"{name}__")] for name in NAMES}
X.loc[::4, BLOCKS["audio"]] = np.nan
ALL_IN_ONE = {"all": sum(BLOCKS.values(), [])}
WORDS = {"words": BLOCKS["text"]}


def others(model, name):
    """Other values that the parameter may have."""
    value = getattr(model, name)
    if name == "modalities":
        yield from (ALL_IN_ONE, WORDS, "nonsense")
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


def test_a_bound_is_that_of_the_loss_which_was_fitted(tmp_path):
    fuser = fit_model(make_model("fuser"), "fuser", X, y)
    expected = fuser.score_samples(X)
    save_model(fuser.set_params(beta=1.0), tmp_path / "fuser")
    for again in fuser, load_model(tmp_path / "fuser"):
        np.testing.assert_array_equal(again.score_samples(X), expected)


@pytest.mark.parametrize("name", ["cberl", "fuser"])
def test_another_fit_takes_the_new_modalities(name):
    model = fit_model(make_model(name), name, X, y).set_params(modalities=WORDS)
    fresh = fit_model(make_model(name, modalities=WORDS), name, X, y)
    expected = answer_of(fresh, name, X)
    for again in clone(model).fit(X, y), model.fit(X, y):
        np.testing.assert_array_equal(answer_of(again, name, X), expected)


def test_modalities_stay_while_training_goes_on():
    model = fit_model(make_model("cberl", warm_start=True), "cberl", X, y)
    # As wide as before, so that the weights alone would not tell.
    swapped = {name: BLOCKS[name] for name in ("text", "visual", "audio")}
    model.set_params(modalities=swapped)
    for go_on in model.fit, model.partial_fit:
        with pytest.raises(ValueError, match="modalities has changed since the last"):
            go_on(X, y)
    model.set_params(modalities=BLOCKS).fit(X, y)


def test_blocks_of_the_fit_are_told_and_heard():
    model = fit_model(make_model("cberl"), "cberl", X, y)
    expected = model.predict_proba(X)
    first = np.flatnonzero(X["dialogue__id"] == X["dialogue__id"].iloc[0])
    model.set_params(modalities=WORDS)
    assert tuple(explain(model, X, row=X.index[0]).modalities.index) == NAMES
    with pytest.raises(ValueError, match="visual__7"):
        explain(model, X.drop(columns="visual__7"), row=X.index[0])
    live = LiveConversation(model)
    for _, row in X.iloc[first].iterrows():
        live.add(
            speaker=row["dialogue__speaker"],
            features={name: row[at].to_numpy(float) for name, at in BLOCKS.items()},
        )
    found = live.turns[model.classes_].to_numpy()
    np.testing.assert_allclose(found, expected[first], atol=1e-6)


def test_models_that_kept_no_blocks_answer_by_their_parameter():
    model = make_model("cberl", modalities=WORDS)
    expected = fit_model(model, "cberl", X, y).predict_proba(X)
    del model._blocks  # as one that an earlier version has saved
    np.testing.assert_array_equal(model.predict_proba(X), expected)
