import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmerc.frame import drop_keys, make_frame
from skmerc.model_selection import (
    DialogueKFold,
    DialogueShuffleSplit,
    StratifiedDialogueKFold,
)

SPLITTERS = [
    DialogueKFold(3),
    DialogueKFold(3, shuffle=True, random_state=0),
    StratifiedDialogueKFold(3),
    StratifiedDialogueKFold(3, shuffle=True, random_state=0),
    DialogueShuffleSplit(3, test_size=0.3, random_state=0),
]
FOLDS = SPLITTERS[:4]
every_splitter = pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)


class Recorder(ClassifierMixin, BaseEstimator):
    """Notes which dialogues it was fitted on and which it was asked about."""

    log = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen_ = set(X["dialogue__id"])
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        self.log.append((self.seen_, set(X["dialogue__id"])))
        proba = 1.0 + np.abs(X[["text__0"] * len(self.classes_)].to_numpy())
        proba[:, 0] += 1.0
        return proba / proba.sum(axis=1, keepdims=True)


@pytest.fixture
def log(monkeypatch):
    monkeypatch.setattr(Recorder, "log", [])
    return Recorder.log


def make_table(n_dialogues=12, seed=0, **keys):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 9, n_dialogues)
    ids = np.repeat([f"dia{i}" for i in range(n_dialogues)], lengths)
    y = np.array(["joy", "neutral", "sad"])[rng.choice(3, len(ids), p=[0.3, 0.5, 0.2])]
    text = rng.normal(size=(len(ids), 3)) + (y == "joy")[:, None]
    return make_frame({"text": text}, dialogue=ids, **keys), y


def make_model():
    return make_pipeline(FunctionTransformer(drop_keys), LogisticRegression())


def splits_of(splitter, *data, **more):
    return [
        (train.tolist(), test.tolist()) for train, test in splitter.split(*data, **more)
    ]


@every_splitter
def test_no_dialogue_stands_on_both_sides(splitter):
    X, y = make_table()
    ids = X["dialogue__id"].to_numpy()
    for train, test in splitter.split(X, y):
        assert len(train) > 0
        assert len(test) > 0
        assert not set(ids[train]) & set(ids[test])


@pytest.mark.parametrize("splitter", FOLDS, ids=repr)
def test_folds_test_every_row_once(splitter):
    X, y = make_table()
    tested = np.concatenate([test for _, test in splitter.split(X, y)])
    assert_array_equal(np.sort(tested), np.arange(len(X)))


PAIRS = [
    (SPLITTERS[0], GroupKFold(3)),
    (SPLITTERS[1], GroupKFold(3, shuffle=True, random_state=0)),
    (SPLITTERS[2], StratifiedGroupKFold(3)),
    (SPLITTERS[3], StratifiedGroupKFold(3, shuffle=True, random_state=0)),
    (SPLITTERS[4], GroupShuffleSplit(3, test_size=0.3, random_state=0)),
]


@pytest.mark.parametrize(("ours", "stock"), PAIRS, ids=repr)
def test_splits_are_those_of_scikit_learn_with_the_ids_as_groups(ours, stock):
    X, y = make_table()
    assert splits_of(ours, X, y) == splits_of(stock, X, y, groups=X["dialogue__id"])
    assert ours.get_n_splits(X, y) == 3


@pytest.mark.parametrize(("ours", "stock"), PAIRS, ids=repr)
def test_ids_that_are_numbers_are_sorted_as_text(ours, stock):
    X, y = make_table()
    X["dialogue__id"] = pd.factorize(X["dialogue__id"])[0]
    as_text = X["dialogue__id"].astype(str)
    assert splits_of(ours, X, y) == splits_of(stock, X, y, groups=as_text)


@every_splitter
def test_keyless_rows_are_their_own_groups(splitter):
    X, y = make_table()
    for keyless in (drop_keys(X), drop_keys(X).to_numpy()):
        sizes = [len(test) for _, test in splitter.split(keyless, y)]
        assert max(sizes) - min(sizes) <= 1
    of_sparse = splits_of(splitter, sparse.csr_array(keyless), y)
    assert of_sparse == splits_of(splitter, keyless, y)


@every_splitter
def test_explicit_groups_win_over_the_dialogues(splitter):
    X, y = make_table()
    sessions = pd.Series(np.arange(len(X)) % 4).astype(str)
    for train, test in splitter.split(X, y, groups=sessions):
        assert not set(sessions[train]) & set(sessions[test])
    bare = splits_of(splitter, drop_keys(X).to_numpy(), y, groups=sessions)
    assert splits_of(splitter, X, y, groups=sessions) == bare


@every_splitter
def test_keys_are_found_behind_a_prefix_and_in_polars(splitter):
    X, y = make_table()
    expected = splits_of(splitter, X, y)
    renamed = X.rename(columns={"dialogue__id": "remainder__dialogue__id"})
    assert splits_of(splitter, renamed, y) == expected
    frame = pl.DataFrame({name: X[name].to_list() for name in X.columns})
    assert splits_of(splitter, frame, y) == expected


@pytest.mark.parametrize("splitter", SPLITTERS[:2] + SPLITTERS[4:], ids=repr)
def test_row_order_does_not_change_which_dialogues_meet(splitter):
    X, y = make_table()
    order = np.random.default_rng(1).permutation(len(X))
    tested = [
        [set(ids[test]) for _, test in splitter.split(table)]
        for table in (X, X.iloc[order])
        for ids in [table["dialogue__id"].to_numpy()]
    ]
    assert tested[0] == tested[1]


def test_integer_ids_and_foreign_index_are_fine():
    X, y = make_table()
    codes = pd.factorize(X["dialogue__id"])[0]
    numbered = X.assign(dialogue__id=codes).set_index(np.arange(len(X)) + 100)
    for splitter in SPLITTERS:
        for train, test in splitter.split(numbered, pd.Series(y, index=X.index[::-1])):
            assert not set(codes[train]) & set(codes[test])


@every_splitter
def test_rows_of_every_role_stay_with_their_dialogue(splitter):
    X, y = make_table()
    roles = np.array(["utterance", "context", "validation", "synthetic"])
    X["dialogue__role"] = roles[np.arange(len(X)) % 4]
    ids = X["dialogue__id"].to_numpy()
    for train, test in splitter.split(X, y):
        assert not set(ids[train]) & set(ids[test])


@every_splitter
def test_isolated_synthetic_dialogue_goes_with_its_source(splitter):
    X, y = make_table()
    made = X.assign(dialogue__role="synthetic")
    made["dialogue__id"] += [f"#synthetic{i}" for i in range(len(X))]
    both, labels = pd.concat([X, made], ignore_index=True), np.r_[y, y]
    sources = np.tile(X["dialogue__id"], 2)
    for train, test in splitter.split(both, labels):
        assert not set(sources[train]) & set(sources[test])


def test_stratified_folds_balance_the_classes_better():
    X, _ = make_table(n_dialogues=40)
    codes = pd.factorize(X["dialogue__id"])[0]
    y = np.where(codes % 8 == 0, "fear", np.where(codes % 2, "joy", "sad"))
    spread = [
        np.std([np.mean(y[test] == "fear") for _, test in splitter.split(X, y)])
        for splitter in (StratifiedDialogueKFold(5), DialogueKFold(5))
    ]
    assert spread[0] < 0.5 * spread[1]


def test_labels_of_context_rows_have_no_say_in_stratification():
    X, y = make_table()
    X["dialogue__role"] = np.where(np.arange(len(X)) % 3, "utterance", "context")
    context = X["dialogue__role"].to_numpy() == "context"
    splitter = StratifiedDialogueKFold(3)
    expected = splits_of(splitter, X, y)
    assert splits_of(splitter, X, np.where(context, "joy", y)) == expected
    labelled = splits_of(splitter, X[~context], y[~context])
    rows = np.flatnonzero(~context)
    for (_, test), (_, test_labelled) in zip(expected, labelled, strict=True):
        assert_array_equal(
            np.setdiff1d(test, np.flatnonzero(context)), rows[test_labelled]
        )


def test_dialogues_of_context_alone_are_spread_over_the_folds():
    X, y = make_table()
    ids = X["dialogue__id"].to_numpy()
    bare = [f"dia{i}" for i in range(6)]
    X.loc[np.isin(ids, bare), "dialogue__role"] = "context"
    folds = [set(ids[test]) for _, test in StratifiedDialogueKFold(3).split(X, y)]
    assert [len(fold & set(bare)) for fold in folds] == [2, 2, 2]
    assert set.union(*folds) == set(ids)


@pytest.mark.parametrize("kind", [DialogueKFold, StratifiedDialogueKFold])
def test_fewer_dialogues_than_folds_is_an_error_with_both_numbers(kind):
    X, y = make_table(n_dialogues=3)
    message = (
        r"X holds 3 dialogue\(s\), too few for n_splits=5 folds; set n_splits to 3"
    )
    with pytest.raises(ValueError, match=message):
        next(kind(5).split(X, y))
    with pytest.raises(ValueError, match=r"groups names 2 group\(s\), too few"):
        next(kind(5).split(X, y, groups=np.arange(len(X)) % 2))


def test_labelled_dialogues_are_counted_where_there_is_context():
    X, y = make_table(n_dialogues=4)
    X.loc[X["dialogue__id"].isin(["dia0", "dia1"]), "dialogue__role"] = "context"
    with pytest.raises(ValueError, match=r"X holds 2 labelled dialogue\(s\), too few"):
        next(StratifiedDialogueKFold(3).split(X, y))


@every_splitter
def test_single_dialogue_cannot_be_split(splitter):
    X, y = make_table(n_dialogues=1)
    with pytest.raises(ValueError, match="a split needs at least 2"):
        next(splitter.split(X, y))


@every_splitter
def test_groups_of_another_length_are_refused(splitter):
    X, y = make_table()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(splitter.split(X, y, groups=["a", "b"]))


@every_splitter
def test_groups_with_gaps_are_refused(splitter):
    X, y = make_table()
    for gap in (None, np.nan, pd.NA):
        for group in (["a", "b", "c", gap], [0.5, 1.0, 2.0, gap]):
            groups = (group * len(X))[: len(X)]
            for given in (groups, pd.Series(groups), pd.Series(groups).to_frame()):
                with pytest.raises(ValueError, match="missing in .* first in row 3"):
                    next(splitter.split(X, y, groups=given))


@every_splitter
def test_groups_of_one_column_are_taken_and_of_several_are_refused(splitter):
    X, y = make_table()
    groups = np.arange(len(X)) % 4
    expected = splits_of(splitter, X, y, groups=groups)
    frame = pd.DataFrame({"session": groups, "scene": groups})
    for column in (groups[:, None], groups[:, None].tolist(), frame[["session"]]):
        assert splits_of(splitter, X, y, groups=column) == expected
    with pytest.raises(ValueError, match=r"groups has the columns \['session', 'scene"):
        next(splitter.split(X, y, groups=frame))


def test_stratified_folds_need_labels():
    X, _ = make_table()
    with pytest.raises(ValueError, match="needs y; without labels use DialogueKFold"):
        next(StratifiedDialogueKFold(3).split(X))


def test_fold_that_stratification_leaves_empty_is_an_error(monkeypatch):
    # scikit-learn does this on rare tables of few groups, by ties in rounding.
    def deal_all_to_the_first_fold(self, X, y, groups):
        rows = np.arange(len(y))
        yield from [(rows[:0], rows), (rows, rows[:0]), (rows, rows[:0])]

    X, y = make_table()
    monkeypatch.setattr(StratifiedGroupKFold, "split", deal_all_to_the_first_fold)
    with pytest.raises(ValueError, match="fold 1 of 3 without a labelled row; use few"):
        next(StratifiedDialogueKFold(3).split(X, y))


def test_class_of_a_single_dialogue_is_tested_in_one_fold_only():
    X, y = make_table()
    y[:] = np.where(np.arange(len(y)) % 2, "joy", "sad")
    y[X["dialogue__id"] == "dia4"] = "fear"
    for splitter in SPLITTERS[:4]:
        with_fear = [np.sum(y[test] == "fear") for _, test in splitter.split(X, y)]
        assert sorted(with_fear)[:2] == [0, 0]
        assert sum(with_fear) == np.sum(y == "fear")
    scores = cross_val_score(make_model(), X, y, cv=StratifiedDialogueKFold(3))
    assert np.all(np.isfinite(scores))


def test_class_with_fewer_rows_than_folds_warns_as_scikit_learn_does():
    X, y = make_table()
    y[:] = "joy"
    y[0] = "sad"
    with pytest.warns(UserWarning, match="least populated class in y has only 1"):
        list(StratifiedDialogueKFold(3).split(X, y))


def test_random_state_repeats_and_other_seeds_differ():
    X, y = make_table()
    for kind in (DialogueKFold, StratifiedDialogueKFold):
        first, again, other = (
            splits_of(kind(3, shuffle=True, random_state=seed), X, y)
            for seed in (0, 0, 1)
        )
        assert first == again
        assert first != other
    first, other = (
        splits_of(DialogueShuffleSplit(random_state=seed), X) for seed in (0, 1)
    )
    assert first != other


def test_shuffle_split_counts_dialogues():
    X, y = make_table()
    ids = X["dialogue__id"].to_numpy()
    splitter = DialogueShuffleSplit(4, test_size=3, train_size=0.5, random_state=0)
    for train, test in splitter.split(X, y):
        assert len(set(ids[test])) == 3
        assert len(set(ids[train])) == 6


def test_repr_names_the_parameters():
    assert repr(DialogueKFold(4)) == (
        "DialogueKFold(n_splits=4, random_state=None, shuffle=False)"
    )
    assert repr(DialogueShuffleSplit(test_size=0.5)) == (
        "DialogueShuffleSplit(n_splits=5, random_state=None, test_size=0.5,"
        "\n           train_size=None)"
    )


@pytest.mark.parametrize("kind", [DialogueKFold, StratifiedDialogueKFold])
def test_wrong_parameters_are_refused_at_construction(kind):
    with pytest.raises(ValueError, match="n_splits=2 or more"):
        kind(1)
    with pytest.raises(ValueError, match="shuffle is False"):
        kind(3, random_state=0)
    with pytest.raises(TypeError):
        kind(3, True)


def assert_kept_apart(log, ids, n_fits):
    seen_at_least_once = set()
    apart = [(seen, asked) for seen, asked in log if seen != set(ids)]
    assert len(apart) == n_fits
    for seen, asked in apart:
        assert not seen & asked
        seen_at_least_once |= asked
    assert seen_at_least_once == set(ids)


@pytest.mark.parametrize("splitter", FOLDS, ids=repr)
def test_cross_val_score_needs_nothing_but_the_splitter(splitter, log):
    X, y = make_table()
    scores = cross_val_score(Recorder(), X, y, cv=splitter)
    assert len(scores) == 3
    assert_kept_apart(log, X["dialogue__id"], 3)


def test_cross_val_predict_answers_every_row(log):
    X, y = make_table()
    X.loc[X["dialogue__id"] == "dia3", "dialogue__role"] = "context"
    answers = cross_val_predict(Recorder(), X, y, cv=StratifiedDialogueKFold(3))
    assert answers.shape == y.shape
    assert_kept_apart(log, X["dialogue__id"], 3)


def test_calibration_honours_the_dialogues(log):
    X, y = make_table()
    model = CalibratedClassifierCV(Recorder(), cv=DialogueKFold(3))
    model.fit(X, y)
    assert_kept_apart(log, X["dialogue__id"], 3)
    assert len(model.calibrated_classifiers_) == 3


def test_calibration_of_one_ensemble_honours_the_dialogues(log):
    X, y = make_table()
    model = CalibratedClassifierCV(Recorder(), cv=DialogueKFold(3), ensemble=False)
    model.fit(X, y)
    assert_kept_apart(log, X["dialogue__id"], 3)


def test_stacking_honours_the_dialogues(log):
    X, y = make_table()
    model = StackingClassifier(
        [("one", Recorder()), ("two", Recorder())], cv=StratifiedDialogueKFold(3)
    )
    model.fit(X, y)
    assert_kept_apart(log, X["dialogue__id"], 6)


def test_calibration_and_stacking_run_behind_drop_keys():
    X, y = make_table()
    stack = StackingClassifier([("one", make_model())], cv=DialogueKFold(3))
    for model in (stack, CalibratedClassifierCV(make_model(), cv=DialogueKFold(3))):
        assert clone(model).fit(X, y).predict_proba(X).shape == (len(X), 3)


@pytest.mark.slow
def test_grid_search_runs_in_two_processes_as_in_one():
    X, y = make_table()
    grid = {"logisticregression__C": [0.1, 1.0]}
    scores = [
        GridSearchCV(make_model(), grid, cv=StratifiedDialogueKFold(3), n_jobs=n_jobs)
        .fit(X, y)
        .cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]
    assert_array_equal(scores[0], scores[1])


def test_learning_curve_keeps_dialogues_apart(log):
    X, y = make_table()
    sizes, _, scores = learning_curve(
        Recorder(), X, y, cv=DialogueKFold(3), train_sizes=[0.4, 1.0], shuffle=False
    )
    assert scores.shape == (2, 3)
    assert sizes[0] < sizes[1]
    tested = [pair for pair in log if not pair[1] <= pair[0]]
    assert len(tested) == 6
    assert all(not seen & asked for seen, asked in tested)


def test_metadata_routing_passes_groups_and_does_without():
    X, y = make_table()
    sessions = np.arange(len(X)) % 4
    with sklearn.config_context(enable_metadata_routing=True):
        plain = cross_validate(
            make_model(), X, y, cv=DialogueKFold(3), return_indices=True
        )
        routed = cross_validate(
            make_model(),
            X,
            y,
            cv=DialogueKFold(3),
            params={"groups": sessions},
            return_indices=True,
        )
    ids = X["dialogue__id"].to_numpy()
    for found, groups in ((plain, ids), (routed, sessions)):
        parts = zip(found["indices"]["train"], found["indices"]["test"], strict=True)
        for train, test in parts:
            assert not set(groups[train]) & set(groups[test])
