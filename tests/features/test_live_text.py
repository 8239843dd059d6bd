"""Live conversations of a pipeline that reads texts."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from systems import mostly_slow

from skmerc import JoyfulClassifier, TextEmbedder
from skmerc.datasets import make_conversations
from skmerc.exceptions import MissingModalityWarning
from skmerc.frame import KEYS
from skmerc.live import LiveConversation

WORDS = "i am so happy sad angry afraid today you are not why this is great".split()
HEARD = [
    ("Ann", "i am so happy today"),
    ("Ben", "why"),
    ("Ann", " "),
    ("Cem", "you are not"),
    ("Ben", None),
    ("Ann", "this is great"),
    ("Ann", "why so sad"),
]


def pipeline(folder, **context):
    embedder = TextEmbedder(str(folder), device="cpu", **context)
    features = ColumnTransformer(
        [
            ("keys", "passthrough", list(KEYS)),
            ("text", embedder, ["utterance", *KEYS] if context else "utterance"),
            ("audio", "passthrough", ["audio__0", "audio__1"]),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    classifier = JoyfulClassifier(
        fusion_size=8,
        hidden_size=8,
        heads=2,
        window_future=0,
        max_epochs=1,
        random_state=0,
        modalities={"text": slice(0, 16), "audio": slice(16, 18)},
        device="cpu",
    )
    return make_pipeline(features, classifier)


def table():
    X, y = make_conversations(12, n_turns=(3, 6), random_state=0)
    rng = np.random.default_rng(0)
    X = X[[*KEYS, "audio__0", "audio__1"]]
    return X.assign(utterance=[" ".join(rng.choice(WORDS, 4)) for _ in y]), y


@pytest.mark.parametrize(
    "context",
    mostly_slow(
        [
            {},
            {"context_past": 2},
            {"context_past": 1, "speakers": True},
            {"context_past": 1, "context_future": 1},
        ]
    ),
    ids=str,
)
def test_texts_are_heard_as_in_the_whole_conversation(make_model, context):
    X, y = table()
    model = pipeline(make_model(), **context).fit(X, y)
    conversation = LiveConversation(model)
    assert conversation.looks_ahead == ("context_future" in context)
    told = []
    for number, (speaker, text) in enumerate(HEARD):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            conversation.add(
                speaker=speaker,
                text=text,
                features={"audio__0": 0.5, "audio__1": number},
            )
        told += [w.category for w in caught]
    assert told == [MissingModalityWarning]
    whole = X.iloc[: len(HEARD)].assign(
        dialogue__id="d",
        dialogue__turn=range(len(HEARD)),
        dialogue__speaker=[speaker for speaker, _ in HEARD],
        utterance=[text for _, text in HEARD],
        audio__0=0.5,
        audio__1=np.arange(len(HEARD), dtype=float),
    )
    with pytest.warns(MissingModalityWarning):
        answers = model.predict_proba(whole)
    found = conversation.turns.iloc[:, 3:].to_numpy(float)
    assert_allclose(found, answers, rtol=0, atol=1e-5)
