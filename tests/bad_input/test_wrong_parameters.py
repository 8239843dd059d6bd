"""Wrong values of every parameter: refused by the parameter's name, before training."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE
from judging import BOOSTING, CLASSIFIERS, NETWORKS, few, fitted, judge
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import InvalidParameterError, make_constraint
from skorch.dataset import ValidSplit
from systems import mostly_slow
from torch.utils.data import DataLoader

from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys

X, y = make_conversations(3, modalities={"text": 2, "audio": 2}, random_state=0)
SCORES = np.arange(len(y)) * 0.5
ALL = NETWORKS | {"boosting": BOOSTING}
PARAMETERS = sorted(
    (name, parameter)
    for name, estimator in ALL.items()
    for parameter in estimator._parameter_constraints
    if parameter in estimator.get_params()
)
VALUES = [
    *(None, True, -1, 0, 1, 2, 0.5, -0.5, 1.0, 1.5, 1e10),
    *(np.nan, np.inf, -np.inf, 1j, np.int64(1), np.int64(2), np.float32(0.5)),
    *("", "x", "auto", "cuda:99", b"x", [], ["x"], [1], {}, {"x": 1}, {1: 2}, ()),
    *(object(), object, int, len, np.zeros(2), np.random.default_rng(0)),
    *({"x": None}, {"text": 3}, {"text": "text__0"}, {"text": ["nothing"]}),
    *({"joy": -1}, {"joy": "x"}, {"joy": np.nan}, {"joy": 1.5}, LogisticRegression),
]


def fit(name, **parameters):
    estimator = clone(ALL[name]).set_params(**parameters)
    table = drop_keys(X).fillna(0) if name == "boosting" else X
    return fitted(estimator, table, SCORES if name == "regressor" else y)


def is_allowed(name, parameter, value):
    constraints = ALL[name]._parameter_constraints[parameter]
    return any(make_constraint(c).is_satisfied_by(value) for c in constraints)


@few
@given(st.sampled_from(PARAMETERS), st.sampled_from(range(len(VALUES))))
def test_a_value_outside_the_constraints_is_refused_by_name(which, index):
    (name, parameter), value = which, VALUES[index]
    if parameter == "checkpoint" or (value is True and "size" in parameter):
        return
    result, error = judge(lambda: fit(name, **{parameter: value}))
    if is_allowed(name, parameter, value):
        assert error is None or isinstance(error, ValueError | TypeError)
    else:
        assert isinstance(error, InvalidParameterError), result
        assert repr(parameter) in str(error)


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_refuses_an_object(name):
    for parameter in (parameter for owner, parameter in PARAMETERS if owner == name):
        _, error = judge(lambda given=parameter: fit(name, **{given: object()}))
        assert isinstance(error, InvalidParameterError), parameter
        assert repr(parameter) in str(error)


WRONG = [
    ({"modalities": {"text": None}}, "'text' is given None"),
    ({"modalities": {"text": "text__0"}}, "'text' is given 'text__0'"),
    ({"modalities": {"text": slice("a", "b")}}, "slices are of positions"),
    ({"modalities": {"text": ["text__9"]}}, "'text__9'"),
    ({"modalities": {"text": slice(90, 99)}}, "'text' is given no column"),
    ({"modalities": {5: [0]}}, "cannot be called 5"),
    ({"modalities": {"dialogue": [0]}}, "cannot be called 'dialogue'"),
    ({"modalities": {}}, "modalities is empty"),
    ({"class_weight": {"bored": 1}}, "'bored'"),
    *(
        ({"class_weight": {"joy": value}}, "class_weight gives .* to 'joy'")
        for value in (-1, "x", None, np.nan, np.inf, 1e300)
    ),
    *(
        ({"class_weight": value}, "no pair of 'effective' and a beta")
        for value in (
            (),
            ("effective",),
            ("effective", 1.0),
            ("effective", -0.1),
            ("effective", "0.9"),
            ("effective", np.nan),
            ("balanced", 0.9),
        )
    ),
    ({"logit_adjustment": np.nan}, "'logit_adjustment' parameter"),
    ({"logit_adjustment": -1}, "'logit_adjustment' parameter"),
    ({"prior": {"bored": 1}}, "'bored'"),
    ({"prior": {"joy": -1}}, "prior gives -1 to 'joy'"),
    ({"prior": {"joy": "x"}}, "prior gives 'x' to 'joy'"),
    ({"prior": {}}, "no positive share"),
    ({"head": LogisticRegression}, "instead of a class"),
    ({"head": LogisticRegression(C=-1)}, "'C' parameter"),
    ({"callbacks": [1]}, "callbacks holds 1"),
    ({"callbacks": [("name", 1)]}, "callbacks holds .'name', 1"),
    ({"device": "tpu"}, "device='tpu'"),
    ({"device": "meta"}, "device='meta'"),
    ({"window_past": 10**20}, "'window_past' parameter"),
    ({"net_params": {"max_epochs": -1}}, "'max_epochs' parameter of net_params"),
    ({"net_params": {"batch_size": 0}}, "'batch_size' parameter of net_params"),
    ({"net_params": {"lr": "fast"}}, "'lr' parameter of net_params"),
    ({"net_params": {"optimizer__lr": -1}}, "'optimizer__lr' parameter of net_params"),
    ({"net_params": {"module__dropout": 2.0}}, "'module__dropout' parameter"),
    ({"net_params": {"device": "tpu"}}, "device='tpu'"),
    ({"net_params": {"callbacks": [1]}}, "callbacks holds 1"),
    ({"net_params": {"module": object}}, "'module', which .*Classifier makes"),
    ({"net_params": {"criterion": object}}, "'criterion', which .*Classifier makes"),
    ({"net_params": {"patience": 3}}, "set the estimator's own parameters"),
    ({"net_params": {"train_split": ValidSplit}}, "'train_split', and .* dialogues"),
    ({"net_params": {"dataset": object}}, "'dataset', and .* dialogues"),
    ({"net_params": {"iterator_train": DataLoader}}, "have batch_size dialogues"),
    ({"net_params": {"iterator_valid": DataLoader}}, "have batch_size dialogues"),
    ({"net_params": {"iterator_valid__batch_size": 1}}, "'iterator_valid__batch_size'"),
    ({"net_params": {"predict_nonlinearity": "auto"}}, "'predict_nonlinearity'"),
    ({"net_params": {"speed": 1}}, "speed"),
    ({"net_params": {"module__speed": 1}}, "'speed'"),
    ({"net_params": {"criterion__speed": 1}}, "'speed'"),
    ({"net_params": {"optimizer__speed": 1}}, "'speed'"),
    ({"net_params": {"iterator_train__speed": 1}}, "'speed'"),
    ({"optimizer": torch.optim.LBFGS}, "LBFGS takes no weight decay"),
]


@pytest.mark.parametrize(("parameters", "message"), mostly_slow(WRONG), ids=str)
@pytest.mark.parametrize("name", mostly_slow(["cberl", "joyful"]))
def test_special_values_are_refused(name, parameters, message):
    classes = {label: label for label in np.unique(y)}
    if "joy" in str(parameters) and "joy" not in classes:
        pytest.fail("the table has no joy")
    _, error = judge(lambda: fit(name, **parameters))
    assert error is not None
    with pytest.raises((ValueError, TypeError), match=message):
        fit(name, **parameters)


@pytest.mark.parametrize("optimizer", [torch.optim.LBFGS, torch.optim.Rprop])
def test_an_optimizer_without_weight_decay_does_without(optimizer):
    fit("cberl", optimizer=optimizer, weight_decay=0)


@pytest.mark.parametrize(
    "switched_off", [{"global_fusion"}, {"specific_fusion"}, set()]
)
def test_a_misspelt_name_is_told_whichever_fusion_is_there(switched_off):
    fusions = dict.fromkeys(switched_off, False)
    with pytest.raises(TypeError, match="no parameter 'poition'.*position"):
        fit("joyful", **fusions, net_params={"module__poition": "rotary"})
    fit("joyful", **fusions, net_params={"module__position": "rotary"})


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ({"joy": 90.5}, "90.5 utterances of 'joy'"),
        ({"joy": "many"}, "'many' utterances of 'joy'"),
        ({"bored": 9}, "'bored'"),
        ({"joy": -1}, "negative"),
        (lambda y: 3, "asks for 3"),
        (lambda y: {"joy": 90.5}, "90.5 utterances of 'joy'"),
        (0.5, "binary"),
    ],
)
def test_wrong_counts_are_refused(strategy, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit("gan", sampling_strategy=strategy)
    with pytest.raises((ValueError, TypeError), match=message):
        fit("repeat", sampler=SMOTE(sampling_strategy=strategy))


@pytest.mark.parametrize("name", mostly_slow(sorted(NETWORKS)))
def test_numpy_s_numbers_are_numbers(name):
    given = NETWORKS[name].get_params()
    whole = {k: np.int64(v) for k, v in given.items() if type(v) is int}
    real = {k: np.float64(v) for k, v in given.items() if type(v) is float}
    assert fit(name, **whole, **real)[1] is not None


@pytest.mark.parametrize("name", sorted(CLASSIFIERS))
def test_classes_of_several_types_are_refused(name):
    with pytest.raises(ValueError, match="classes is 'joy' in row 0 and 1 in row 1"):
        clone(CLASSIFIERS[name]).partial_fit(X, y, classes=["joy", 1])


def test_the_device_may_be_an_object_of_torch():
    assert fit("gan", device=torch.device("cpu"))[1] is not None
