"""Callbacks of skorch in the parameter of that name, and handles that they hold."""

import json
import pickle
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    make_scorer,
    mean_absolute_error,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    TensorBoard,
    TrainEndCheckpoint,
    WandbLogger,
)
from systems import make_model, mostly_slow

from skmerc.datasets import make_conversations
from skmerc.frame import mark_validation
from skmerc.metrics import (
    make_dialogue_scorer,
    minority_f1,
    neg_log_loss_scorer,
    weighted_f1_scorer,
)
from skmerc.model_selection import DialogueKFold


class MustNotTrain(Callback):
    def on_train_begin(self, net, **given):
        raise AssertionError("training has begun")


SCORES = {
    "string": "accuracy",
    "callable": lambda net, X, y: float(np.mean(net.predict(X) == y)),
    "default": None,
}


@pytest.fixture(scope="module")
def table():
    """Conversations of which some are held out, and some rows are context."""
    X, y = make_conversations(12, n_turns=(4, 8), random_state=0)
    X = mark_validation(X, fraction=0.3, random_state=0)
    context = np.arange(len(X)) % 5 == 0
    roles = X["dialogue__role"].mask(context, "context")
    return X.assign(dialogue__role=roles), np.where(context, None, y)


def rows_of(X, role):
    return (X["dialogue__role"] == role).to_numpy()


# Scores of rows


@pytest.mark.parametrize("use_caching", mostly_slow([True, False]))
@pytest.mark.parametrize("scoring", mostly_slow(SCORES.values()), ids=list(SCORES))
@pytest.mark.parametrize("role", mostly_slow(["utterance", "validation"]))
def test_epochs_are_scored_on_training_and_on_validation_rows(
    table, role, scoring, use_caching
):
    X, y = table
    scored = EpochScoring(
        scoring,
        lower_is_better=False,
        on_train=role == "utterance",
        name="score",
        use_caching=use_caching,
    )
    model = make_model("cberl", patience=None, callbacks=[scored]).fit(X, y)
    rows = rows_of(X, role)
    expected = accuracy_score(y[rows].astype(str), model.predict(X)[rows])
    assert model.history_[-1]["score"] == pytest.approx(expected)
    scores = [epoch["score"] for epoch in model.history_]
    assert model.net_.history[:, "score_best"] == [True, scores[1] > scores[0]]


def test_scorers_of_dialogues_score_epochs(table):
    X, y = table
    rare = make_dialogue_scorer(minority_f1, minority=["joy"])
    scored = [
        EpochScoring(neg_log_loss_scorer, on_train=True, name="loss"),
        EpochScoring(weighted_f1_scorer, name="f1"),
        EpochScoring(rare, on_train=True, name="rare"),
    ]
    model = make_model("cberl", patience=None, callbacks=scored).fit(X, y)
    rows, held_out = rows_of(X, "utterance"), rows_of(X, "validation")
    truth, p = y[rows].astype(str), model.predict_proba(X)[rows]
    last = model.history_[-1]
    assert last["loss"] == pytest.approx(-log_loss(truth, p, labels=model.classes_))
    expected = minority_f1(truth, model.predict(X)[rows], minority=["joy"])
    assert last["rare"] == pytest.approx(expected)
    assert last["f1"] == pytest.approx(last["valid_weighted_f1"])
    assert held_out.any()


def test_batches_are_scored_as_they_are_trained(table):
    X, y = table
    seen = []

    def scoring(net, X, y):
        seen.append((len(X), y.tolist()))
        return accuracy_score(y, net.predict(X))

    scored = BatchScoring(scoring, on_train=True, name="score", lower_is_better=False)
    model = make_model("cberl", max_epochs=1, batch_size=4, callbacks=[scored])
    model.fit(X, y)
    rows = rows_of(X, "utterance")
    assert sorted(sum((labels for _, labels in seen), [])) == sorted(y[rows])
    assert len(seen) == -(-X["dialogue__id"][rows].nunique() // 4)
    assert 0 <= model.history_[0]["score"] <= 1


def test_a_scorer_that_fails_is_told_with_what_it_was_given(table):
    X, y = table
    y = np.where(rows_of(X, "validation"), "joy", y)  # all other classes are absent
    for scoring, message in (
        ("neg_log_loss", r"y_true contains only one label.*lack \['anger', 'neutral'"),
        (lambda net, X, y: net.predict(X[:1])[0], "scorer asks for those of 1"),
    ):
        scored = EpochScoring(scoring, name="score")
        found = f"EpochScoring could not score validation rows: .*{message}"
        with pytest.raises(ValueError, match=found):
            make_model("cberl", callbacks=[scored]).fit(X, y)
    scored = EpochScoring(neg_log_loss_scorer, name="score")
    model = make_model("cberl", patience=None, callbacks=[scored]).fit(X, y)
    rows = rows_of(X, "validation")
    p = model.predict_proba(X)[rows, list(model.classes_).index("joy")]
    assert model.history_[-1]["score"] == pytest.approx(np.log(p).mean())


@pytest.mark.parametrize(
    "scoring",
    ["f1_weigthed", ["accuracy", "f1_macro"], {"one": "accuracy"}, Freezer("*")],
    ids=["misspelt", "list", "dict", "no function"],
)
def test_what_is_no_score_is_refused_before_training(table, scoring):
    scored = EpochScoring(scoring, on_train=True)
    with pytest.raises(ValueError, match=r"callback EpochScoring cannot score by"):
        make_model("cberl", callbacks=[scored, MustNotTrain()]).fit(*table)


@pytest.mark.parametrize(
    ("scoring", "name"),
    mostly_slow(
        [
            (weighted_f1_scorer, "weighted_f1"),
            (
                make_dialogue_scorer(log_loss, response_method="predict_proba"),
                "log_loss",
            ),
            (make_scorer(accuracy_score), "accuracy_score"),
            ("accuracy", "accuracy"),
        ]
    ),
    ids=["ready", "ours", "of scikit-learn", "string"],
)
def test_a_score_without_a_name_has_that_of_its_function(table, scoring, name):
    scored = EpochScoring(scoring, on_train=True)
    assert name in make_model("cberl", callbacks=[scored]).fit(*table).history_[0]


def test_a_net_that_is_asked_for_answers_says_who_gives_them(table):
    X, y = table

    class Ask(Callback):
        def __init__(self, method, where):
            self.method, self.where = method, where

        def on_epoch_end(self, net, **given):
            getattr(net, self.method)(given.get(self.where, X))

    for method in ("predict", "predict_proba", "forward"):
        for where in ("dataset_train", "dataset_valid", "X"):
            with pytest.raises(TypeError, match="use EpochScoring"):
                make_model("cberl", callbacks=[Ask(method, where)]).fit(X, y)


def test_values_and_sets_of_labels_are_scored_as_users_know_them(table):
    X, y = table
    train = rows_of(X, "utterance")
    values = 1000 + 3 * X["text__0"].to_numpy()
    error = EpochScoring("neg_mean_absolute_error", on_train=True, name="error")
    model = make_model("regressor", patience=None, callbacks=[error]).fit(X, values)
    expected = mean_absolute_error(values[train], model.predict(X)[train])
    assert model.history_[-1]["error"] == pytest.approx(-expected, rel=1e-4)
    sets = np.random.default_rng(0).integers(0, 2, (len(X), 3))
    loss = EpochScoring(neg_log_loss_scorer, on_train=True, name="loss")
    model = make_model("joyful", patience=None, callbacks=[loss]).fit(X, sets)
    p, truth = model.predict_proba(X)[train], sets[train]
    expected = np.log(np.where(truth, p, 1 - p)).mean()
    assert model.history_[-1]["loss"] == pytest.approx(expected, rel=1e-4)


def test_scoring_changes_no_weight(table):
    X, y = table
    scored = [EpochScoring("accuracy", on_train=True), EpochScoring("f1_macro")]
    with_scores = make_model("cberl", callbacks=scored).fit(X, y)
    # A callback has torch draw from the source throughout, with or without scores.
    without = make_model("cberl", callbacks=[EpochTimer()]).fit(X, y)
    np.testing.assert_array_equal(
        with_scores.predict_proba(X), without.predict_proba(X)
    )
    assert len(pickle.dumps(with_scores.net_)) < 2 * len(pickle.dumps(without.net_))
    assert with_scores.net_.rows_ is None


# Names in the history


def test_two_cannot_write_under_one_name(table):
    twice = [EpochScoring("accuracy", on_train=True), EpochScoring("accuracy")]
    ours = [
        [EpochScoring("accuracy", name=name)]
        for name in ("valid_weighted_f1", "valid_loss", "train_loss")
    ]
    for callbacks in (twice, *ours):
        with pytest.raises(ValueError, match="something else writes too"):
            make_model("cberl", callbacks=[*callbacks, MustNotTrain()]).fit(*table)


def test_what_callbacks_record_is_told(table):
    class Record(Callback):
        def on_epoch_end(self, net, **given):
            net.history.record("nearly_best", 0.5)

    scored = EpochScoring("accuracy", name="score")
    model = make_model("cberl", callbacks=[Record(), scored]).fit(*table)
    assert model.history_[0]["nearly_best"] == 0.5
    assert "score_best" not in model.history_[0]


@pytest.mark.parametrize("name", mostly_slow(["cberl", "joyful", "regressor"]))
def test_the_history_says_which_epoch_was_the_best_so_far(table, name):
    X, y = table
    y = X["text__0"].to_numpy() if name == "regressor" else y
    model = make_model(name, max_epochs=4, patience=9).fit(X, y)
    history = model.net_.history
    measures = [n for n in history[0] if n.startswith("valid_") and "best" not in n]
    assert "valid_loss" in measures
    assert len(measures) > 1
    for measure in measures:
        falls = measure == "valid_loss" or "mae" in measure
        values = np.array(history[:, measure]) * (-1 if falls else 1)
        best = [bool((v > values[:k]).all()) for k, v in enumerate(values)]
        assert history[:, f"{measure}_best"] == best
    assert not any(key.endswith("_best") for key in model.history_[0])


def test_checkpoints_as_they_are_by_default(table, tmp_path):
    X, y = table
    kept = Checkpoint(dirname=tmp_path / "best")
    last = TrainEndCheckpoint(dirname=str(tmp_path / "last"))
    model = make_model("cberl", patience=None, callbacks=[kept, last]).fit(X, y)
    assert sum(model.net_.history[:, "event_cp"]) >= 1
    for folder, prefix in (("best", ""), ("last", "train_end_")):
        history = json.loads((tmp_path / folder / f"{prefix}history.json").read_text())
        assert len(history) <= len(model.history_)
    again = clone(model).set_params(callbacks=[LoadInitState(last), last])
    again.fit(X, y)
    assert [epoch["epoch"] for epoch in again.history_] == [1, 2, 3, 4]


WATCHING = {
    "checkpoint": Checkpoint(),
    "its class-like twin": Checkpoint("valid_weighted_f1_best"),
    "early stopping": EarlyStopping(),
    "plateau": LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
    "wandb": WandbLogger(SimpleNamespace(dir=".")),
    "scores": EpochScoring("accuracy"),
}


@pytest.mark.parametrize("callback", WATCHING.values(), ids=list(WATCHING))
def test_what_watches_validation_is_refused_where_none_is_held_out(table, callback):
    X, y = table
    X = X.assign(dialogue__role=X["dialogue__role"].replace("validation", "utterance"))
    model = make_model("cberl", patience=None, callbacks=[callback])
    with pytest.raises(ValueError, match=r"callback .* no dialogues are held out"):
        model.fit(X, y)
    assert not hasattr(model, "net_")


def test_a_score_that_nobody_writes_cannot_be_watched(table):
    X, y = table
    watch = EarlyStopping("valid_acc")
    with pytest.raises(ValueError, match=r"watches 'valid_acc'.*valid_loss_best"):
        make_model("cberl", callbacks=[watch]).fit(X, y)
    scored = EpochScoring("accuracy", name="valid_acc", lower_is_better=False)
    with pytest.raises(ValueError, match=r"watches 'valid_acc'"):
        make_model("cberl", callbacks=[watch, scored]).fit(X, y)
    make_model("cberl", callbacks=[scored, watch]).fit(X, y)

    class Tell(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("valid_acc", 0.5)

    model = make_model("cberl", callbacks=[Tell(), watch]).fit(X, y)
    assert model.history_[-1]["valid_acc"] == 0.5


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (BatchScoring("accuracy"), "validation dialogues are scored once an epoch"),
        (PassthroughScoring("train_loss"), "PassthroughScoring reads batches of valid"),
        (InputShapeSetter(), "takes its sizes from the table"),
    ],
    ids=["batches of validation", "their mean", "sizes"],
)
def test_what_has_nothing_to_do_is_refused(table, callback, message):
    X, y = table
    for given in (callback, ("named", callback)):
        with pytest.raises(ValueError, match=message):
            make_model("cberl", callbacks=[given]).fit(X, y)


@pytest.mark.parametrize(
    "callback",
    mostly_slow(
        [
            EpochTimer(),
            EpochTimer,
            Freezer("*lstm*"),
            GradientNormClipping(1.0),
            LRScheduler("StepLR", step_size=1),
            PassthroughScoring("train_loss", on_train=True),
            PrintLog(),
            ProgressBar(),
        ]
    ),
    ids=lambda cb: getattr(cb, "__name__", type(cb).__name__),
)
def test_the_others_of_skorch_work(table, callback, capsys):
    X, y = table
    model = make_model("cberl", callbacks=[callback]).fit(X, y)
    assert len(model.history_) == 2
    assert pickle.loads(pickle.dumps(model)).predict(X).shape == y.shape


@pytest.mark.parametrize("kind", mostly_slow(["cberl", "joyful"]))
@pytest.mark.parametrize(
    "name",
    mostly_slow(
        ["early_stopping", "finished_epochs", "print_log", "schedule", "train_loss"]
    ),
)
def test_any_name_may_be_given(table, name, kind):
    X, y = table
    called = []

    class Count(Callback):
        def on_epoch_end(self, net, **kwargs):
            called.append(name)

    model = make_model(kind, patience=9, callbacks=[(name, Count())]).fit(X, y)
    assert len(called) == model.n_iter_ == 2


# Handles


class Writer:
    """A connection of which there is no second one, like those of loggers."""

    def __init__(self):
        self.lock, self.told, self.dir = threading.Lock(), [], None

    def add_scalar(self, tag, **settings):
        self.told.append(tag)

    def log(self, values):
        self.told += list(values)

    def watch(self, module):
        self.told.append("watch")

    def close(self):
        self.told.append("close")


class Keep(Callback):
    """Holds a handle under its name, and another under no parameter's name."""

    def __init__(self, handle):
        self.handle = self._own = handle

    def on_epoch_end(self, net, **kwargs):
        self._own.log({"epoch": 1})


def holding(writer):
    return {
        "tensorboard": TensorBoard(writer),
        "wandb": WandbLogger(writer, save_model=False),
        "own": Keep(writer),
        "named": ("name", Keep(writer)),
    }


@pytest.mark.parametrize("kind", mostly_slow(list(holding(None))))
def test_a_handle_is_shared_and_the_users_callback_stays(table, kind):
    X, y = table
    writer = Writer()
    callback = holding(writer)[kind]
    alone = callback[1] if isinstance(callback, tuple) else callback
    before = dict(vars(alone))
    model = make_model("cberl", callbacks=[callback]).fit(X, y)
    assert writer.told
    assert vars(alone) == before
    assert model.callbacks == [callback]
    count = len(writer.told)
    copies = clone(model)
    copies.fit(X, y)
    assert len(writer.told) > count
    np.testing.assert_array_equal(copies.predict_proba(X), model.predict_proba(X))


@pytest.mark.slow
def test_a_handle_goes_through_what_clones_models(table):
    X, y = table
    X, y = X.assign(dialogue__role="utterance"), np.resize(["a", "b", "c"], len(y))
    writer = Writer()
    model = make_model("cberl", max_epochs=1, callbacks=[Keep(writer)])
    VotingClassifier([("a", model), ("b", make_pipeline(model))]).fit(X, y)
    assert len(writer.told) == 2
    GridSearchCV(model, {"lr": [1e-3]}, cv=DialogueKFold(2)).fit(X, y)
    assert len(writer.told) == 5


def test_callbacks_among_the_parameters_of_the_net_are_treated_alike(table):
    X, y = table
    writer = Writer()
    callback = Keep(writer)
    before = dict(vars(callback))
    model = make_model("cberl", net_params={"callbacks": [callback]})
    twin = clone(model)
    assert twin.net_params["callbacks"][0] is not callback
    twin.fit(X, y)
    model.fit(X, y)
    assert len(writer.told) == 4
    assert vars(callback) == before
    with pytest.raises(TypeError, match="Keep holds what cannot be pickled"):
        pickle.dumps(model)
    lone = make_model("cberl", net_params={"callbacks": [InputShapeSetter()]})
    with pytest.raises(ValueError, match="InputShapeSetter has nothing to set"):
        lone.fit(X, y)


def test_callbacks_in_both_places_and_our_own_are_all_called(table):
    X, y = table
    rates, called = [], []

    class Tell(Callback):
        def __init__(self, name):
            self.name = name

        def on_epoch_end(self, net, **given):
            called.append(self.name)
            rates.append(net.optimizer_.param_groups[0]["lr"])

    inside = {"callbacks": [Tell("inside")]}
    for name in ("cberl", "joyful"):
        called.clear()
        rates.clear()
        model = make_model(name, callbacks=[Tell("outside")], net_params=inside)
        model.fit(X, y)
        assert called == ["outside", "inside"] * 2
        assert (rates[-1] < rates[0]) == (name == "joyful")  # which has a schedule


def test_parameters_of_callbacks_that_are_not_there_are_refused(table):
    X, y = table
    stop = ("stop", EarlyStopping("train_loss"))
    inside = {"callbacks__stop__patience": 1, "callbacks__print_log": None}
    make_model("cberl", callbacks=[stop], net_params=inside).fit(X, y)
    for given in ({"callbacks__stpo__patience": 1}, {"callbacks__valid_acc": None}):
        model = make_model("cberl", callbacks=[stop], net_params=given)
        with pytest.raises(ValueError, match="names no callback; there are .*stop"):
            model.fit(X, y)


def test_parameters_of_named_callbacks_are_those_of_the_model(table):
    X, y = table
    stop = EarlyStopping("epoch", threshold=0)  # which only grows
    model = make_model("cberl", max_epochs=4, callbacks=[("stop", stop), EpochTimer()])
    pipe = make_pipeline(clone(model))
    grid = {"cberlclassifier__callbacks__stop__patience": [1, 2]}
    search = GridSearchCV(pipe, grid, cv=DialogueKFold(2), scoring=n_epochs).fit(X, y)
    assert search.cv_results_["mean_test_score"].tolist() == [1, 2]
    assert model.get_params()["callbacks__stop__patience"] == stop.patience == 5
    model.set_params(callbacks__stop=None)
    assert model.callbacks[0] == ("stop", None)
    with pytest.raises(ValueError, match=r"no callback 'stpo' .* are \['stop'\]"):
        model.set_params(callbacks__stpo__patience=1)
    with pytest.raises(ValueError, match="Invalid parameter 'hope'"):
        clone(pipe).set_params(cberlclassifier__callbacks__stop__hope=1)


def n_epochs(model, X, y):
    """Epochs until the callback has found none that is better than the first."""
    return len(model[-1].history_) - 1


@pytest.mark.parametrize("given", [(1, EpochTimer()), ("a", EpochTimer(), 2), "x"])
def test_what_is_no_callback_is_refused(table, given):
    with pytest.raises(TypeError, match="callbacks holds"):
        make_model("cberl", callbacks=[given]).fit(*table)


def test_callbacks_of_classes_alone_stay_classes():
    model = make_model("cberl", callbacks=[EpochTimer, ("name", EpochTimer)])
    assert clone(model).callbacks == model.callbacks


def test_a_model_is_pickled_without_the_callbacks_that_hold_a_handle(table, tmp_path):
    X, y = table
    with (tmp_path / "log").open("w") as file:
        told = Keep(SimpleNamespace(log=lambda values: file.write(str(values))))
        told.handle = file
        model = make_model("cberl", callbacks=[told]).fit(X, y)
        with pytest.raises(TypeError, match=r"Keep holds .*set_params\(callbacks=None"):
            pickle.dumps(model)
        assert pickle.loads(pickle.dumps(model.net_)).callbacks_
        model.set_params(callbacks=None)
        again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.slow
def test_a_model_with_a_handle_is_saved_without_its_callbacks(table, tmp_path):
    pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")
    from skmerc.persistence import load_model, save_model

    X, y = table
    model = make_model("cberl", callbacks=[Keep(Writer())]).fit(X, y)
    with pytest.raises(ValueError, match="The callback Keep holds what cannot be"):
        save_model(model, tmp_path / "model")
    save_model(model.set_params(callbacks=None), tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
