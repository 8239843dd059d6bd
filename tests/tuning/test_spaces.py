"""Search spaces: what they hold, and their twins for scikit-learn."""

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from sklearn.model_selection import ParameterSampler
from sklearn.preprocessing import FunctionTransformer
from systems import mostly_slow

import skmerc
from skmerc.datasets import make_conversations
from skmerc.tuning import param_distributions, search_space

NAMES = [
    name
    for name in skmerc.__all__
    if getattr(getattr(skmerc, name), "_search_space", None)
]
DECIDED_ELSEWHERE = {"sampling_strategy"}  # imbalanced-learn's checks want "auto"


def ends(distribution):
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high


def holds(distribution, value):
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    low, high = ends(distribution)
    step = getattr(distribution, "step", None)
    return low <= value <= high and not (step and (value - low) % step)


@pytest.mark.parametrize("name", NAMES)
def test_every_range_holds_the_default(name):
    defaults = getattr(skmerc, name)().get_params()
    space = search_space(name)
    assert set(space) <= set(defaults)
    outside = {key for key in space if not holds(space[key], defaults[key])}
    assert outside <= DECIDED_ELSEWHERE


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("CBERLClassifier", "paper"),
        ("DialogueGCNClassifier", "released"),
        ("JoyfulClassifier", "paper"),
        ("JoyfulClassifier", "released"),
    ],
)
def test_every_range_holds_the_published_number(name, preset):
    published = getattr(skmerc, name)._presets[preset]
    space = search_space(name)
    published = {key: published[key] for key in set(space) & set(published)}
    published.pop("fusion_size", None)  # the number of features, or 1024
    assert len(published) >= 3
    assert all(holds(space[key], value) for key, value in published.items())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", [0, -1], ids=["lowest", "highest"])
def test_the_ends_are_legal(name, end):
    space = search_space(name)
    estimator = getattr(skmerc, name)()
    estimator.set_params(**{key: ends(space[key])[end] for key in space})
    estimator._validate_params()


def test_every_width_divides_among_the_heads():
    space = search_space("CBERLClassifier")
    heads = skmerc.CBERLClassifier().heads
    assert not any(
        2 * size % heads for size in param_distributions(space)["hidden_size"]
    )


def test_the_prior_weighs_more_than_the_unimodal_posteriors():
    space = search_space("DJVAEFuser")
    assert space["gamma"].high <= space["beta"].low


def test_a_pipeline_has_the_ranges_of_its_steps():
    inner = Pipeline(
        [("fuse", skmerc.DJVAEFuser()), ("clf", skmerc.JoyfulClassifier())]
    )
    steps = [
        ("keep", FunctionTransformer()),
        ("skip", "passthrough"),
        ("augment", skmerc.MultimodalGANSampler()),
        ("rest", inner),
    ]
    pipeline = Pipeline(steps)
    space = search_space(pipeline)
    assert set(space) <= set(pipeline.get_params())
    assert {name.rpartition("__")[0] for name in space} == {
        "augment",
        "rest__fuse",
        "rest__clf",
    }
    assert space["rest__clf__lr"] == search_space("JoyfulClassifier")["lr"]


def test_an_estimator_has_the_ranges_of_its_name():
    assert search_space(skmerc.DJVAEFuser()) == search_space("DJVAEFuser")
    assert search_space(skmerc.DJVAEFuser) == search_space("DJVAEFuser")


def test_ranges_may_be_changed_without_a_trace():
    search_space("DJVAEFuser")["beta"].low = 0.5
    assert search_space("DJVAEFuser")["beta"].low == 1e-3


@pytest.mark.parametrize(
    "estimator",
    ["SVC", FunctionTransformer(), Pipeline([("a", FunctionTransformer())])],
)
def test_what_has_no_ranges_is_refused(estimator):
    with pytest.raises(ValueError, match="there is one for CBERLClassifier, D"):
        search_space(estimator)
    if not isinstance(estimator, str):
        with pytest.raises(ValueError, match=f"'{type(estimator).__name__}' has no"):
            search_space(type(estimator))


@pytest.mark.parametrize("name", NAMES)
def test_random_searches_draw_from_the_same_ranges(name):
    space = search_space(name)
    draws = list(ParameterSampler(param_distributions(space), 50, random_state=0))
    estimator = getattr(skmerc, name)()
    for draw in draws:
        assert all(holds(space[key], value) for key, value in draw.items())
        estimator.set_params(**draw)._validate_params()
    rates = np.log([draw["lr"] for draw in draws if "lr" in draw])
    low, high = np.log(ends(space["lr"]))
    assert abs(np.mean(rates) - (low + high) / 2) < (high - low) / 8


@pytest.mark.parametrize(
    ("name", "small"),
    mostly_slow(
        [
            ("CBERLClassifier", {"hidden_size": 8, "max_epochs": 1}),
            ("JoyfulClassifier", {"fusion_size": 8, "hidden_size": 8, "max_epochs": 1}),
            ("DJVAEFuser", {"latent_size": 4, "hidden_size": 8, "max_epochs": 1}),
            ("MultimodalGANSampler", {"hidden_size": 8, "n_steps": 3}),
        ]
    ),
)
def test_values_of_numpy_mean_what_those_of_python_do(name, small):
    X, y = make_conversations(12, n_turns=(4, 6), random_state=0)
    space = search_space(name)
    fractions = [key for key in space if isinstance(space[key], FloatDistribution)]
    defaults = getattr(skmerc, name)().get_params(deep=False).items()
    switches = {key: value for key, value in defaults if isinstance(value, bool)}

    def learn(kind, truth):
        given = dict.fromkeys(fractions, kind(2**-7)) | small
        given |= {key: truth(value) for key, value in switches.items()}
        estimator = getattr(skmerc, name)(random_state=0, device="cpu", **given)
        if hasattr(estimator, "fit_resample"):
            return estimator.fit_resample(X, y)[0]
        return estimator.fit(X, y).transform(X)

    expected = learn(float, bool)
    np.testing.assert_array_equal(learn(np.float64, np.bool_), expected)


def test_steps_of_fractions_become_a_list():
    space = {"dropout": FloatDistribution(0.1, 0.4, step=0.1)}
    assert param_distributions(space)["dropout"] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_integers_on_a_logarithmic_scale_are_refused():
    with pytest.raises(ValueError, match="'hidden_size' has integers on a logarithmic"):
        param_distributions({"hidden_size": IntDistribution(8, 128, log=True)})
