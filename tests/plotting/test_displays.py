"""What displays draw, asked of the things drawn and not of images."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmerc import CBERLClassifier, DialogueSampler, MultimodalGANSampler
from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys, make_frame, mark_validation
from skmerc.inspection import modality_importance
from skmerc.plotting import (
    ClassBalanceDisplay,
    ConversationDisplay,
    DialogueConfusionMatrixDisplay,
    EmotionTransitionDisplay,
    ExplanationDisplay,
    LossDisplay,
    ModalityDisplay,
    ReliabilityDisplay,
    SampleQualityDisplay,
)
from skmerc.plotting._style import COLORS, HATCHES, fill

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def settings_stay_and_figures_close():
    before = dict(matplotlib.rcParams)
    yield
    pyplot.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture(scope="module")
def table():
    X, y = make_conversations(12, n_turns=(6, 9), random_state=0)
    X["dialogue__role"] = [
        "context" if i % 5 == 0 else "utterance" for i in range(len(X))
    ]
    return X, np.where(np.arange(len(y)) % 5 == 0, None, y), y


@pytest.fixture(scope="module")
def model(table):
    X, _, y = table
    steps = FunctionTransformer(drop_keys), LogisticRegression(max_iter=1000)
    return make_pipeline(*steps).fit(X, y)


@pytest.fixture(scope="module")
def network():
    X, y = make_conversations(12, n_turns=(4, 6), random_state=0)
    X = mark_validation(X, fraction=0.3, random_state=0)
    return CBERLClassifier(hidden_size=4, max_epochs=2, random_state=0).fit(X, y)


def names_of(ticks):
    return [tick.get_text() for tick in ticks]


def drawn_of_each_kind(table, model, network):
    X, y, _ = table
    rows = np.random.default_rng(0).normal(size=(40, 3))
    sampler = DialogueSampler(RandomOverSampler(random_state=0))
    return [
        ConversationDisplay.from_estimator(model, X, y),
        EmotionTransitionDisplay.from_labels(X, y),
        ClassBalanceDisplay.from_estimator(sampler, X, y),
        LossDisplay.from_estimator(network),
        ModalityDisplay(modality_importance(model, X, table[2], n_repeats=1)).plot(),
        SampleQualityDisplay.from_samples(rows[:20], rows[20:], random_state=0),
        ReliabilityDisplay.from_estimator(model, X, y),
        DialogueConfusionMatrixDisplay.from_estimator(model, X, y),
        ExplanationDisplay(explanation()).plot(),
    ]


@pytest.mark.slow
def test_every_display_draws_into_axes_of_its_own_and_again_into_those_given(
    table, model, network
):
    for display in drawn_of_each_kind(table, model, network):
        first = display.ax_
        assert display.figure_ is first.figure
        _, ax = pyplot.subplots()
        assert display.plot(ax=ax) is display
        assert display.ax_ is ax
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        display.figure_.canvas.draw()


def test_classes_differ_in_colour_and_hatching_together():
    styles = {tuple(fill(k).items()) for k in range(len(COLORS) * len(HATCHES))}
    assert len(styles) == len(COLORS) * len(HATCHES)
    # Up to eight of them differ in each of the two.
    for key in ("facecolor", "hatch"):
        assert len({fill(k)[key] for k in range(8)}) == 8


# Conversations


@pytest.fixture
def short():
    """Two dialogues, whose rows are in no order."""
    return make_frame(
        {"text": np.zeros((5, 1))},
        dialogue=["b", "a", "b", "b", "a"],
        turn=[2, 0, 0, 1, 1],
        speaker=["Ann", "Cy", "Ann", "Bob", "Di"],
        role=["utterance", "utterance", "utterance", "context", "utterance"],
    )


def test_a_conversation_is_drawn_in_the_order_of_its_turns(short):
    y_prob = pd.DataFrame({"joy": [0.1, 0.5, 0.7, 0.4, 0.5], "fear": 0.0})
    y_prob["fear"] = 1 - y_prob["joy"]
    y = ["fear", "joy", "fear", "joy", "joy"]
    display = ConversationDisplay.from_predictions(short, y_prob=y_prob, y_true=y)
    assert display.dialogue == "b"
    assert display.turn.tolist() == [0, 1, 2]
    assert display.speaker.tolist() == ["Ann", "Bob", "Ann"]
    joy, fear = display.bars_["joy"], display.bars_["fear"]
    unit = joy[0].get_height() / 0.7
    np.testing.assert_allclose(
        [bar.get_height() / unit for bar in joy], [0.7, 0.4, 0.1]
    )
    np.testing.assert_allclose(
        [bar.get_height() / unit for bar in fear], [0.3, 0.6, 0.9]
    )
    # Bars of a turn stand on each other, those of a speaker in one lane.
    for lower, upper in zip(joy, fear, strict=True):
        np.testing.assert_allclose(lower.get_y() + lower.get_height(), upper.get_y())
    assert joy[0].get_y() == joy[2].get_y() > joy[1].get_y()
    assert names_of(display.ax_.get_yticklabels()) == ["Ann", "Bob"]
    # The second turn is context, whatever y says of it; joy was expected in the first.
    assert [mark.get_xdata()[0] for mark in display.true_] == [0, 2]
    assert [mark.get_fillstyle() for mark in display.true_] == ["left", "full"]
    assert names_of(display.ax_.get_legend().get_texts()) == ["joy", "fear"]


def test_answers_without_probabilities_are_certain(short):
    y_pred = ["joy", "fear", "fear", "joy", "joy"]
    display = ConversationDisplay.from_predictions(short, y_pred=y_pred, dialogue="a")
    assert display.probabilities.to_dict("list") == {"fear": [1, 0], "joy": [0, 1]}
    assert display.true_ == []


def test_a_true_emotion_that_the_model_does_not_know_is_in_the_legend(short):
    y_pred, y = ["joy"] * 5, ["anger"] * 5
    display = ConversationDisplay.from_predictions(short, y_pred=y_pred, y_true=y)
    assert names_of(display.ax_.get_legend().get_texts()) == ["joy", "anger"]


def test_a_turn_without_an_answer_has_no_bar_and_agrees_with_nothing(short):
    y_pred = ["joy", "fear", None, np.nan, "joy"]
    display = ConversationDisplay.from_predictions(
        short, y_pred=y_pred, y_true=["joy", "fear", "fear", "joy", "joy"]
    )
    assert display.probabilities.to_numpy().tolist() == [[0, 0], [0, 0], [0, 1]]
    assert [mark.get_fillstyle() for mark in display.true_] == ["left", "full"]


def test_emotions_of_one_column_are_drawn(short):
    y = ["joy", "fear", "fear", None, "joy"]
    single = pd.DataFrame({"emotion": y})
    display = ConversationDisplay.from_predictions(short, y_pred=single, y_true=single)
    assert [mark.get_fillstyle() for mark in display.true_] == ["full", "full"]


def test_the_figure_has_room_for_a_legend_of_many_emotions(short):
    classes = [f"emotion {k}" for k in range(30)]
    display = ConversationDisplay.from_predictions(
        short, y_prob=np.full((5, 30), 1 / 30), classes=classes
    )
    display.figure_.canvas.draw()  # a warning would tell of axes without height
    assert display.ax_.get_window_extent().height > 0


def test_a_model_answers_for_its_dialogue(table, model):
    X, y, _ = table
    display = ConversationDisplay.from_estimator(model, X, y, dialogue="dia3")
    rows = X["dialogue__id"] == "dia3"
    np.testing.assert_allclose(display.probabilities, model.predict_proba(X[rows]))
    assert len(display.true_) == (X[rows]["dialogue__role"] != "context").sum()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y_pred": ["joy"] * 5, "dialogue": "c"}, "no dialogue 'c'"),
        ({}, "one of the two"),
        ({"y_prob": np.ones((5, 2)), "classes": ["joy", "fear"]}, "row 0 sum to 2"),
        ({"y_prob": np.ones((5, 1))}, "classes=none"),
        ({"y_pred": np.zeros((5, 2))}, r"shape \(5, 2\)"),
    ],
)
def test_conversations_that_cannot_be_drawn_are_told(short, given, message):
    with pytest.raises(ValueError, match=message):
        ConversationDisplay.from_predictions(short, **given)


# Transitions


@pytest.mark.parametrize(
    ("speaker", "expected"),
    [
        # Ann: joy, fear, fear; Bob: joy, [context]; turns: joy joy fear [ctx] fear.
        ("any", {("joy", "joy"): 1, ("joy", "fear"): 1}),
        ("same", {("joy", "fear"): 1, ("fear", "fear"): 1}),
        ("other", {("joy", "joy"): 1, ("joy", "fear"): 1}),
    ],
)
def test_transitions_are_those_of_the_dialogue_or_of_the_speaker(speaker, expected):
    X = make_frame(
        {"text": np.zeros((5, 1))},
        dialogue=["a"] * 5,
        turn=[4, 0, 1, 2, 3],
        speaker=["Ann", "Ann", "Bob", "Ann", "Bob"],
        role=["utterance"] * 4 + ["context"],
    )
    y = ["fear", "joy", "joy", "fear", None]
    display = EmotionTransitionDisplay.from_labels(X, y, speaker=speaker)
    counts = display.counts.stack()
    assert counts[counts > 0].to_dict() == expected
    drawn = display.im_.get_array()
    shares = display.counts.div(display.counts.sum(axis=1).clip(lower=1), axis=0)
    np.testing.assert_allclose(drawn, shares)
    display.plot(normalize=False, colorbar=False)
    np.testing.assert_allclose(display.im_.get_array(), display.counts)
    assert [[int(t.get_text()) for t in row] for row in display.text_] == (
        display.counts.to_numpy().tolist()
    )


def test_scores_have_no_transitions():
    X, y = make_conversations(2, n_turns=4, random_state=0)
    scores = np.linspace(-1.5, 1.3, len(X))
    with pytest.raises(ValueError, match="continuous"):
        EmotionTransitionDisplay.from_labels(X, scores)
    regressor = SimpleNamespace(predict=lambda X: scores)
    with pytest.raises(ValueError, match="continuous"):
        EmotionTransitionDisplay.from_estimator(regressor, X)


def test_no_transition_leads_from_one_dialogue_to_another(table, model):
    X, _, _ = table
    n_dialogues = X["dialogue__id"].nunique()
    display = EmotionTransitionDisplay.from_estimator(model, X)
    assert display.counts.to_numpy().sum() == len(X) - n_dialogues
    with pytest.raises(ValueError, match="dialogues of one turn"):
        EmotionTransitionDisplay.from_labels(drop_keys(X), table[2])
    with pytest.raises(ValueError, match="speaker='next'"):
        EmotionTransitionDisplay.from_labels(X, table[2], speaker="next")


def test_alternatives_to_a_turn_are_no_turns(table, model):
    X, y, _ = table
    sampler = DialogueSampler(RandomOverSampler(random_state=0))
    more = sampler.fit_resample(X, y)
    counts = [EmotionTransitionDisplay.from_labels(*t).counts for t in (more, (X, y))]
    pd.testing.assert_frame_equal(*counts)
    turns = [ConversationDisplay.from_estimator(model, t).turn for t in (more[0], X)]
    np.testing.assert_array_equal(*turns)


# Balance


def test_balance_counts_labelled_rows_before_and_after(table):
    X, y, full = table
    counted = pd.Series(y).dropna().value_counts()
    for labels, kwargs in ((y, {}), (full, {"X": X})):
        display = ClassBalanceDisplay.from_labels(labels, **kwargs)
        assert display.counts["utterances"].to_dict() == counted.to_dict()
    sampler = DialogueSampler(RandomOverSampler(random_state=0))
    display = ClassBalanceDisplay.from_estimator(sampler, X, y)
    widths = {n: [b.get_width() for b in bars] for n, bars in display.bars_.items()}
    assert widths["before"] == sorted(counted, reverse=True)
    assert widths["after"] == [counted.max()] * len(counted)
    assert names_of(display.ax_.get_legend().get_texts()) == ["before", "after"]
    with pytest.raises(ValueError, match="None of the 2 rows"):
        ClassBalanceDisplay.from_labels([None, None])


def test_balance_takes_labels_of_one_column():
    frame = pd.DataFrame({"emotion": ["joy", None, "joy"], "score": range(3)})
    display = ClassBalanceDisplay.from_labels(frame[["emotion"]])
    assert display.counts["utterances"].to_dict() == {"joy": 2}
    with pytest.raises(ValueError, match=r"y has the columns \['emotion', 'score'\]"):
        ClassBalanceDisplay.from_labels(frame)


# Training


def test_losses_and_scores_have_axes_of_their_own(network):
    display = LossDisplay.from_estimator(network)
    history = pd.DataFrame(network.history_)
    assert set(display.lines_) == set(history) - {"epoch", "dur"}
    for name, line in display.lines_.items():
        assert line.axes is (display.ax_ if "loss" in name else display.score_ax_)
        np.testing.assert_allclose(line.get_ydata(), history[name].dropna())
    assert display.best_epoch == network.net_.history[-1]["valid_best_epoch"]
    assert set(display.best_line_.get_xdata()) == {display.best_epoch}


def test_losses_of_the_generator_are_drawn_by_epoch():
    sampler = MultimodalGANSampler(n_steps=9, hidden_size=4, random_state=0)
    sampler.fit_resample(*make_conversations(6, random_state=0))
    display = LossDisplay.from_estimator(sampler)
    assert display.score_ax_ is None
    assert set(display.lines_) == set(sampler.history_[0])
    expected = np.arange(len(sampler.history_)) + 1
    np.testing.assert_array_equal(display.lines_["cycle"].get_xdata(), expected)


def test_what_holds_a_network_is_looked_into_and_what_has_none_is_told(network, model):
    inside = SimpleNamespace(steps=[("clf", network)])
    assert LossDisplay.from_estimator(SimpleNamespace(best_estimator_=inside)).lines_
    with pytest.raises(ValueError, match="LogisticRegression has no history_"):
        LossDisplay.from_estimator(model)


def test_folds_of_a_training_get_lines_of_their_own():
    epochs = [
        {"epoch": epoch, "train_loss": 1.0, **fold}
        for fold in ({}, {"fold": 0}, {"fold": 1})
        for epoch in (1, 2)
    ]
    display = LossDisplay.from_estimator(SimpleNamespace(history_=epochs))
    assert set(display.lines_) == {
        "train_loss",
        "train_loss, without fold 0",
        "train_loss, without fold 1",
    }
    assert display.score_ax_ is display.best_line_ is None


# Inspection


def test_importance_is_drawn_with_its_repeats(table, model):
    X, _, y = table
    display = ModalityDisplay.from_estimator(model, X, y, n_repeats=3, random_state=0)
    importance = display.importance
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths, importance["mean"])
    assert names_of(display.ax_.get_yticklabels()) == importance.index.tolist()
    assert len(display.points_.get_xdata()) == 3 * len(importance)


def explanation():
    turns = pd.DataFrame(
        {"turn": [0, 1], "speaker": ["Ann", ""], "effect": [-0.2, 0.3]}, index=[7, 8]
    )
    modalities = pd.DataFrame({"effect": [0.4], "own": [0.1]}, index=["text"])
    words = pd.DataFrame({"word": ["so", "so"], "effect": [0.1, 0.0]})
    return SimpleNamespace(
        row=8,
        target="joy",
        outcome=0.8,
        turns=turns,
        speakers=None,
        modalities=modalities,
        words=words,
    )


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("turns", ["0 Ann", "→ 1 unknown"]),
        ("modalities", ["text"]),
        ("words", ["so", "so"]),
    ],
)
def test_each_part_of_an_explanation_is_drawn(part, names):
    found = explanation()
    display = ExplanationDisplay(found).plot(part=part)
    effects = getattr(found, part)["effect"].tolist()
    assert [bar.get_width() for bar in display.bars_] == effects
    assert names_of(display.ax_.get_yticklabels()) == names
    looks = {(bar.get_facecolor(), bar.get_hatch()) for bar in display.bars_}
    assert len(looks) == len({effect >= 0 for effect in effects})
    assert "joy" in display.ax_.get_title()


def test_a_part_that_is_not_there_is_told():
    with pytest.raises(ValueError, match="has turns, modalities, words"):
        ExplanationDisplay(explanation()).plot(part="speakers")


# Quality of samples


def test_quality_is_drawn_from_the_best_value():
    quality = pd.Series(
        {"frechet_distance": 40.0, "two_sample_auc": 0.4, "precision": 0.75}
    )
    display = SampleQualityDisplay(quality).plot()
    (bars,) = display.bars_.values()
    starts_and_ends = [(b.get_x(), round(b.get_x() + b.get_width(), 9)) for b in bars]
    spans = [tuple(sorted(pair)) for pair in starts_and_ends]
    assert spans == [(0, 1.5), (0.4, 0.5), (0.75, 1.0)]
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == ["40.00 (cut)", "0.40", "0.75"]


# Answers


class Known(ClassifierMixin, BaseEstimator):
    """Answers with the features of X."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.asarray(drop_keys(X), float)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_reliability_shows_accuracy_by_confidence_without_context():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.0, 1.0]])
    roles = ["utterance"] * 3 + ["context"]
    X = make_frame({"text": p}, dialogue=["a"] * 4, role=roles)
    y = np.array(["fear", "joy", "joy", "fear"])
    known = Known().fit(X, y)
    display = ReliabilityDisplay.from_estimator(known, X, y, n_bins=5)
    assert display.bins["count"].tolist() == [0, 0, 0, 1, 2]
    np.testing.assert_allclose(display.line_.get_xdata(), [0.6, 0.9], rtol=1e-6)
    np.testing.assert_allclose(display.line_.get_ydata(), [1.0, 0.5])
    shares = [bar.get_height() for bar in display.bars_]
    np.testing.assert_allclose(shares, [0, 0, 0, 1 / 3, 2 / 3])
    assert round(display.error, 6) == 0.4  # |1 - 0.6| / 3 + 2 |0.5 - 0.9| / 3
    assert "Known" in display.line_.get_label()
    with pytest.raises(ValueError, match="gives no probabilities"):
        ReliabilityDisplay.from_estimator(SimpleNamespace(classes_=[0]), X, y)


def test_the_confusion_matrix_leaves_context_out(table, model):
    X, y, full = table
    rows = X["dialogue__role"] != "context"
    expected = confusion_matrix(full[rows], model.predict(X)[rows])
    for labels in (y, full):
        display = DialogueConfusionMatrixDisplay.from_estimator(model, X, labels)
        np.testing.assert_array_equal(display.confusion_matrix, expected)
        assert names_of(display.ax_.get_xticklabels()) == list(model.classes_)
    weight = np.where(np.arange(len(X)) < 10, 2.0, 0.0)
    display = DialogueConfusionMatrixDisplay.from_predictions(
        y, model.predict(X), sample_weight=weight
    )
    assert display.confusion_matrix.sum() == weight[rows].sum()
    assert display.im_.get_cmap().name == "cividis"


def test_the_confusion_matrix_tells_what_it_cannot_count_and_names_numbers_whole():
    draw = DialogueConfusionMatrixDisplay.from_predictions
    with pytest.raises(ValueError, match="y_pred has no label in row 1"):
        draw(["joy", "fear"], ["joy", None])
    y = pd.Series([0, 1, 1], dtype="Int64")
    assert names_of(draw(y, y).ax_.get_xticklabels()) == ["0", "1"]


def test_an_answer_that_is_no_class_is_told():
    X = make_frame({"text": np.zeros((2, 1))}, dialogue=["a", "a"])
    with pytest.raises(ValueError, match="row 0 is 'glad', which is not among"):
        ConversationDisplay.from_predictions(
            X, y_pred=["glad", "joy"], classes=["anger", "joy"]
        )


# Names


NAMES = ["$a_$", "$5-$10", "under $", r"\$^$"]
"""Formulas, damaged ones, and what only looks like one."""


def drawn_with_names(table):
    """A function that draws each display, and the names that it shows."""
    X, _, y = table
    speakers = dict(zip(sorted(set(X["dialogue__speaker"])), NAMES, strict=False))
    X = X.assign(dialogue__speaker=X["dialogue__speaker"].map(speakers))
    X = X.assign(dialogue__id=NAMES[0], dialogue__turn=np.arange(len(X)))
    labels = np.array(NAMES)[np.unique(y, return_inverse=True)[1]]
    p = pd.DataFrame(np.full((len(X), 4), 0.25), columns=NAMES)
    named = pd.Index(NAMES)
    effects = pd.DataFrame({"effect": [0.1, 0.2, -0.1, 0.0]}, named)
    found = SimpleNamespace(
        **{"row": 0, "target": NAMES[0], "outcome": 0.5},
        turns=effects.assign(turn=0, speaker=NAMES),
        **{"speakers": effects, "modalities": effects},
        words=effects.assign(word=NAMES),
    )
    loss = pd.DataFrame({"mean": 0.1, "std": 0.0, "repeat_0": 0.1}, named)
    shown = {
        "balance": lambda: ClassBalanceDisplay.from_labels(labels),
        "confusion": lambda: DialogueConfusionMatrixDisplay.from_predictions(
            labels, labels
        ),
        "transitions": lambda: EmotionTransitionDisplay.from_labels(X, labels),
        "modalities": lambda: ModalityDisplay(loss).plot(),
    }
    for part in ("turns", "speakers", "modalities", "words"):
        shown[part] = lambda part=part: ExplanationDisplay(found).plot(part=part)
    shown = {name: (draw, NAMES) for name, draw in shown.items()}
    conversation = ConversationDisplay.from_predictions
    turns = {"X": X, "y_prob": p, "y_true": labels}
    shown["conversation"] = lambda: conversation(**turns), [*speakers.values()]
    return shown


def read(text):
    """What stands there when it is drawn, if it is no formula."""
    assert not (
        text.get_parse_math() and matplotlib.cbook.is_math_text(text.get_text())
    )
    plain = text.get_text()
    return plain.replace(r"\$", "$") if text.get_parse_math() else plain


@pytest.mark.parametrize(
    "kind",
    [
        *("balance", "confusion", "transitions", "modalities", "turns", "speakers"),
        *("words", "conversation"),
    ],
)
def test_names_are_drawn_as_they_are(table, kind):
    draw, names = drawn_with_names(table)[kind]
    display = draw()
    ax = display.ax_
    display.figure_.canvas.draw()
    shown = [read(text) for text in ax.get_yticklabels()]
    for name in names:
        assert any(
            name.replace(r"\$", "$") in text.replace(r"\$", "$") for text in shown
        )
    others = [ax.title, ax.xaxis.label, *ax.get_xticklabels()]
    if ax.get_legend() is not None:
        legend = [read(text) for text in ax.get_legend().get_texts()]
        assert len(legend) == len(NAMES)
    for text in others:
        read(text)
    if hasattr(display, "plot"):
        _, again = pyplot.subplots()
        display.plot(ax=again)
        display.figure_.canvas.draw()
