"""The estimator that chooses all steps by itself."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression

from skmerc import (
    CBERLClassifier,
    DialogueSampler,
    DJVAEFuser,
    EmotionRecognizer,
    JoyfulClassifier,
    MultimodalGANSampler,
    TextEmbedder,
    inspection,
)
from skmerc.datasets import make_conversations, to_frame
from skmerc.exceptions import (
    IdFeatureWarning,
    NoDialogueWarning,
    UnseenModalityWarning,
)
from skmerc.frame import KEYS, drop_keys, mark_validation, read_keys
from skmerc.recognizer._choices import ENOUGH, FEW_DIALOGUES, Amount, choose

SETTINGS = {"random_state": 0, "device": "cpu", "verbose": 0}
SAID = {"joy": "great great", "anger": "late again", "neutral": "I see"}


class Letters(TransformerMixin, BaseEstimator):
    """Stands for a sentence model: counts of letters, NaN where nothing was said."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        rows = [
            [text.count(c) if isinstance(text, str) else np.nan for c in "gle"]
            for text in X
        ]
        return np.array(rows, dtype=float)

    def get_feature_names_out(self, input_features=None):
        return np.array(list("gle"), dtype=object)


class Listening(ClassifierMixin, BaseEstimator):
    """Remembers the table that it was given."""

    def fit(self, X, y):
        self.classes_, self.seen_ = np.unique(y), X
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


def talk(n_dialogues=4, **columns):
    """A table of typed conversations."""
    emotions = list(SAID)
    dialogues = [
        [
            {"speaker": "ab"[turn % 2], "text": SAID[e], "label": e}
            for turn, e in enumerate(emotions[number % 3 :] + emotions)
        ]
        for number in range(n_dialogues)
    ]
    X, y = to_frame(dialogues)
    return X.assign(**columns), y


def quick(**parameters):
    return EmotionRecognizer(
        **({"embedder": Letters(), "random_state": 0} | parameters)
    )


@pytest.fixture(scope="module")
def fitted():
    X, y = talk()
    return quick().fit(X, y), X, y


def test_texts_go_in_and_emotions_come_out(fitted):
    model, X, y = fitted
    assert model.predict(X).tolist() == y.tolist()
    assert model.score(X, y) == 1
    p = model.predict_proba(X)
    assert p.shape == (len(X), 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert model.classes_.tolist() == sorted(SAID)
    assert model.feature_names_in_.tolist() == ["utterance"]


def test_the_pipeline_that_it_made_answers_alike(fitted):
    model, X, _ = fitted
    np.testing.assert_array_equal(
        model.pipeline_.predict_proba(X), model.predict_proba(X)
    )
    assert list(model.choices_) == ["text", "sampler", "classifier"]
    assert "4 labelled dialogues" in model.choices_["classifier"]


def test_keys_reach_the_classifier_and_blocks_keep_their_names():
    X, y = talk(**{"audio__0": 1.5, "text__old": 2.0, "age": 30})
    model = quick(classifier=Listening()).fit(X, y)
    seen = model.pipeline_[-1].seen_
    pd.testing.assert_frame_equal(read_keys(seen), read_keys(X))
    names = [name for name in seen.columns if "dialogue__" not in name]
    assert {name.partition("__")[0] for name in names} == {
        "raw_text",
        "audio",
        "text",
        "features",
    }


@pytest.mark.parametrize(
    ("columns", "given", "found"),
    [
        ({}, {}, {"text": "utterance"}),
        ({"wav": "a.wav"}, {}, {"text": "utterance", "audio": "wav"}),
        ({"wav": "a.wav"}, {"audio": None}, {"text": "utterance"}),
        ({"wav": "a.wav"}, {"text": None}, {"audio": "wav"}),
        ({"words": "a"}, {"text": "words"}, {"text": "words"}),
        ({"film": "a.mp4"}, {"video": "film"}, {"text": "utterance", "video": "film"}),
    ],
)
def test_columns_are_found_by_their_names_or_told(columns, given, found):
    from skmerc.frame._columns import parse_table
    from skmerc.recognizer._columns import find_columns

    X, _ = talk(**columns)
    asked = {"text": "auto", "audio": "auto", "video": "auto"} | given
    assert find_columns(parse_table(X), asked).raw == found


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        ({"mood": "?"}, {}, r"columns 'mood', which hold no numbers.*text="),
        ({}, {"text": None}, "no text and no features"),
        ({}, {"audio": "sound"}, "audio='sound', and X has no such column"),
    ],
)
def test_tables_without_use_are_refused_in_words(change, given, message):
    X, y = talk(**change)
    with pytest.raises(ValueError, match=message):
        quick(**given).fit(X, y)


def test_a_list_of_texts_is_refused_in_words():
    with pytest.raises(ValueError, match="give a table, as skmerc.datasets.to_frame"):
        quick().fit(["a", "b"], ["joy", "anger"])


def test_rows_of_context_are_not_learned_from_where_there_is_no_context():
    X, y = talk()
    y = np.array(y, dtype=object)
    X.loc[3, "dialogue__role"], y[3] = "context", None
    other = X.copy()
    other.loc[3, "utterance"] = "eggs and eels " * 9
    answers = [quick().fit(one, y).predict_proba(X) for one in (X, other)]
    np.testing.assert_array_equal(*answers)


def test_a_text_that_is_missing_gets_an_answer_too(fitted):
    model, X, _ = fitted
    gap = X.assign(utterance=[None, *X["utterance"][1:]])
    assert np.isfinite(model.predict_proba(gap)).all()


def test_embedders_that_read_dialogues_are_given_the_keys():
    class Reading(TextEmbedder):
        def fit(self, X, y=None):
            self.columns_ = list(X.columns)
            return self

        def transform(self, X):
            return np.ones((len(X), 2))

        def get_feature_names_out(self, input_features=None):
            return np.array(["0", "1"], dtype=object)

    X, y = talk()
    model = quick(embedder=Reading()).fit(X, y)
    reading = model.pipeline_["features"].named_transformers_["text"]
    assert reading.columns_ == ["utterance", *X.columns[:4]]


def amount(n_dialogues=FEW_DIALOGUES, **counts):
    return Amount(n_dialogues, counts, sum(counts.values()))


MANY = {"neutral": 10 * ENOUGH, "joy": ENOUGH}


@pytest.mark.parametrize(
    ("found", "kinds"),
    [
        (amount(FEW_DIALOGUES - 1, joy=5, anger=5), [LogisticRegression]),
        (amount(0, **MANY, fear=100), [LogisticRegression]),
        (amount(joy=50, anger=50), [CBERLClassifier]),
        (amount(**MANY), [CBERLClassifier]),
        (amount(**MANY, fear=5), [CBERLClassifier]),
        (amount(neutral=ENOUGH - 100, fear=40), [CBERLClassifier]),
        (
            amount(**MANY, fear=100),
            [MultimodalGANSampler, DJVAEFuser, CBERLClassifier],
        ),
        (Amount(FEW_DIALOGUES, {}, 100), [JoyfulClassifier]),
    ],
)
def test_steps_follow_the_documented_rules(found, kinds):
    choice = choose(found, "auto", "auto", SETTINGS)
    made = [type(step) for _, step in choice.steps]
    assert made[-len(kinds) :] == kinds
    assert choice.in_context == (kinds != [LogisticRegression])
    assert {"sampler", "classifier"} <= set(choice.reasons)


def test_a_sampler_or_a_classifier_that_is_given_stands_in_the_pipeline():
    found = amount(**MANY, fear=100)
    sampler, classifier = DialogueSampler(), JoyfulClassifier()
    steps = choose(found, sampler, "auto", SETTINGS).steps
    assert [type(s) for _, s in steps] == [DialogueSampler, CBERLClassifier]
    assert choose(found, None, "auto", SETTINGS).steps[0][0] == "classifier"
    assert choose(found, "auto", classifier, SETTINGS).steps[0][1] is classifier


def test_dialogues_and_classes_are_counted_among_labelled_rows():
    X, y = talk(3)
    X.loc[X["dialogue__id"] == X["dialogue__id"][0], "dialogue__role"] = "context"
    found = Amount.of(read_keys(X), np.asarray(y, dtype=str))
    assert found.n_dialogues == 2
    assert found.n_labelled == sum(found.counts.values()) == len(X) - 6


def test_a_sampler_makes_the_pipeline_one_of_imbalanced_learn():
    X, y = make_conversations(6, n_turns=(4, 6), random_state=0)
    model = EmotionRecognizer(
        sampler=MultimodalGANSampler(
            n_steps=2, hidden_size=4, device="cpu", random_state=0
        ),
        classifier=CBERLClassifier(
            hidden_size=4, max_epochs=1, device="cpu", random_state=0
        ),
    ).fit(X, y)
    assert type(model.pipeline_).__module__.startswith("imblearn")
    assert model.predict_proba(X).shape == (len(X), len(model.classes_))


@pytest.mark.parametrize("named", [True, False])
def test_several_emotions_keep_the_names_of_their_columns(named):
    X, y = talk()
    both = pd.DataFrame({"is joy": y == "joy", "is loud": y != "neutral"}).astype(int)
    model = quick().fit(X, both if named else both.to_numpy())
    assert model.classes_.tolist() == (["is joy", "is loud"] if named else [0, 1])
    np.testing.assert_array_equal(model.predict(X), both)
    array = drop_keys(make_conversations(FEW_DIALOGUES, random_state=0)[0]).fillna(0)
    many = both.iloc[np.arange(len(array)) % len(both)].reset_index(drop=True)
    unkeyed = quick().fit(array.to_numpy(), many if named else many.to_numpy())
    assert unkeyed.classes_.tolist() == model.classes_.tolist()
    assert model.predict_proba(X).shape == both.shape
    last = model.classes_[1]
    outcome = model.explain(X, 0, target=last).outcome
    assert outcome == pytest.approx(model.predict_proba(X)[0, 1])


def test_it_says_what_it_chose_if_asked(capsys):
    X, y = talk()
    quick().fit(X, y)
    assert capsys.readouterr().out == ""
    quick(verbose=1).fit(X, y)
    assert "classifier: LogisticRegression" in capsys.readouterr().out


def test_a_saved_one_answers_alike(tmp_path):
    pytest.importorskip("skops")
    pytest.importorskip("safetensors")
    from skmerc.persistence import load_model

    X, y = make_conversations(4, random_state=0)
    model = EmotionRecognizer(random_state=0).fit(X, y)
    model.save(tmp_path / "model.skmerc")
    again = load_model(tmp_path / "model.skmerc")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.choices_ == model.choices_


def test_explanations_are_those_of_the_pipeline(fitted, monkeypatch):
    model, X, _ = fitted
    asked = []
    monkeypatch.setattr(
        inspection, "explain", lambda *a, **k: asked.append((a, k)), raising=False
    )
    model.explain(X, 2, target="joy")
    assert asked[0][0][0] is model.pipeline_
    assert asked[0][0][2] == 2
    assert asked[0][1] == {"target": "joy"}


def test_names_of_speakers_are_no_texts_and_the_way_to_a_table_is_told():
    X, y = talk()
    raw = X.rename(columns={"dialogue__speaker": "speaker"})
    with pytest.raises(ValueError, match=r"to_frame\(table, speaker='speaker'"):
        quick().fit(raw, y)


def test_rows_without_dialogues_and_ids_among_features_are_told():
    X, y = talk()
    raw = X[["utterance"]].assign(dialogue=range(len(X)))
    with (
        pytest.warns(NoDialogueWarning, match="X has no dialogue__id"),
        pytest.warns(IdFeatureWarning, match="'dialogue'"),
    ):
        quick().fit(raw, y)


def test_times_of_a_transcript_are_no_features():
    X, y = talk()
    times = {"start": np.arange(len(X)), "end": np.arange(len(X)) + 1.0}
    model = quick().fit(X.assign(**times), y)
    assert model.feature_names_in_.tolist() == ["utterance"]
    expected = model.predict_proba(X)
    later = {name: values + 3600 for name, values in times.items()}
    np.testing.assert_array_equal(model.predict_proba(X.assign(**later)), expected)


@pytest.mark.parametrize("dropped", [["dialogue__id"], list(KEYS)])
@pytest.mark.parametrize("n_dialogues", [4, FEW_DIALOGUES])
def test_keys_may_be_absent_later_which_is_told_where_it_matters(n_dialogues, dropped):
    X, y = make_conversations(n_dialogues, n_turns=4, random_state=0)
    model = quick().fit(X, y)
    bare = X.drop(columns=dropped)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", NoDialogueWarning)
        assert len(model.predict(bare)) == len(X)
    matters = any("no dialogue__id" in str(w.message) for w in told)
    assert matters == (n_dialogues == FEW_DIALOGUES)


def test_texts_without_keys_are_answered_after_a_fit_with_keys():
    X, y = talk()
    model = quick().fit(X, y)
    np.testing.assert_array_equal(model.predict(X[["utterance"]]), model.predict(X))


@pytest.mark.parametrize("n_dialogues", [4, FEW_DIALOGUES])
def test_one_class_infinity_and_a_series_are_refused(n_dialogues):
    X, y = make_conversations(n_dialogues, n_turns=4, random_state=0)
    with pytest.raises(ValueError, match="y has one class alone, 'joy'"):
        quick().fit(X, ["joy"] * len(X))
    broken = X.assign(text__1=np.inf)
    with pytest.raises(ValueError, match=r"row 0, column 'text__1' \(block 'text'\)"):
        quick().fit(broken, y)
    model = quick().fit(X, y)
    with pytest.raises(ValueError, match="infinity"):
        model.predict(broken)
    with pytest.raises(ValueError, match="X is a Series"):
        model.predict(X["text__0"])


@pytest.mark.parametrize(
    "turns",
    [
        [{"speaker": "Ann", "text": "Hello"}],
        [[{"speaker": "Ann", "text": "Hello"}], [{"speaker": "Bob", "text": "Hi"}] * 2],
        {"speaker": ["Ann"], "text": ["Hello"]},
    ],
    ids=["one conversation", "several", "columns"],
)
def test_turns_that_are_no_table_yet_are_told_what_makes_one(turns):
    X, y = make_conversations(4, n_turns=4, random_state=0)
    model = quick().fit(X, y)
    with pytest.raises(ValueError, match="no table yet: .*to_frame"):
        model.predict(turns)
    with pytest.raises(ValueError, match="no table yet: .*to_frame"):
        quick().fit(turns, y)


def test_what_looks_into_models_looks_into_the_pipeline_that_was_chosen():
    X, y = make_conversations(FEW_DIALOGUES, n_turns=4, random_state=0)
    model = quick().fit(X, y)
    own = model.explain(X, 3, method="integrated_gradients")
    given = inspection.explain(model, X, 3, method="integrated_gradients")
    pd.testing.assert_frame_equal(given.turns, own.turns)
    with pytest.raises(TypeError, match="row is a list"):
        inspection.explain(model, X, [3])


def test_a_class_that_validation_rows_alone_have_is_told_or_learned_nowhere():
    X, y = make_conversations(6, n_turns=4, random_state=0)
    X = mark_validation(X, dialogues=["dia0", "dia1"])
    left_out = (X["dialogue__role"] == "validation").to_numpy()
    model = quick().fit(X, np.where(left_out, "bored", y))
    assert "bored" not in model.classes_
    assert model.predict_proba(X).shape == (len(X), len(model.classes_))
    with pytest.raises(ValueError, match="y has one class alone, 'joy'"):
        quick().fit(X, np.where(left_out, "bored", "joy"))


@pytest.mark.parametrize("as_array", [False, True])
def test_from_few_dialogues_what_no_training_row_had_is_told_and_not_read(as_array):
    X, y = make_conversations(FEW_DIALOGUES - 1, n_turns=(3, 6), random_state=0)
    without = X.assign(**{name: np.nan for name in X if name.startswith("audio__")})
    first = "'audio__0'"
    if as_array:
        first = str(list(drop_keys(X)).index("audio__0"))
        X, without = (drop_keys(table).to_numpy() for table in (X, without))
    model = quick().fit(without, y)
    with pytest.warns(UnseenModalityWarning, match=f"row 0, column {first}, "):
        found = model.predict_proba(X)
    np.testing.assert_allclose(found, model.predict_proba(without), atol=1e-6)
