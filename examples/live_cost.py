"""Time that each turn of a live conversation takes, and how it grows.

    OMP_NUM_THREADS=1 python examples/live_cost.py --turns 10 50 100 200 400

Every estimator has its default widths and is fitted for one pass, since only time is
asked for. Features are as wide as sentence embeddings beside descriptors of voice and
face, so that what is measured comes on top of embedding a text.
"""

import argparse
import time

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmerc import (
    CBERLClassifier,
    DialogueGCNClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    JoyfulRegressor,
)
from skmerc.frame import drop_keys, make_frame
from skmerc.live import LiveConversation

WIDTHS = {"text": 384, "audio": 200, "visual": 116}
SHORT = {"max_epochs": 1, "patience": None, "random_state": 0, "device": "cpu"}
CAUSAL = {"window_future": 0, "bidirectional": False}


def models():
    """Yield the name of each model, and the model."""
    yield "JOYFUL, causal", JoyfulClassifier(window_future=0, **SHORT)
    deep = {"context_layers": 4, "graph_layers": 2, "window_future": 0}
    yield "JOYFUL, causal, 4 + 2 layers", JoyfulClassifier(**deep, **SHORT)
    yield "its regressor, causal", JoyfulRegressor(window_future=0, **SHORT)
    yield "CBERL, causal", CBERLClassifier(**CAUSAL, **SHORT)
    coded = {"fusion": "djvae", **CAUSAL}
    yield "CBERL with its code, causal", CBERLClassifier(**coded, **SHORT)
    yield (
        "CBERL, causal, boosting head",
        CBERLClassifier(head="boost", **CAUSAL, **SHORT),
    )
    fuser = DJVAEFuser(**SHORT)
    yield (
        "fuser, CBERL, causal",
        make_pipeline(fuser, CBERLClassifier(**CAUSAL, **SHORT)),
    )
    scaled = ColumnTransformer(
        [("text", StandardScaler(), [f"text__{j}" for j in range(WIDTHS["text"])])],
        remainder="passthrough",
    ).set_output(transform="pandas")
    joyful = JoyfulClassifier(window_future=0, **SHORT)
    yield "columns, JOYFUL, causal", make_pipeline(scaled, joyful)
    near = {"context_window": 6, **SHORT}
    yield "JOYFUL, looks 12 turns ahead", JoyfulClassifier(**near)
    yield "JOYFUL by default", JoyfulClassifier(**SHORT)
    yield "CBERL by default", CBERLClassifier(**SHORT)
    yield "DialogueGCN", DialogueGCNClassifier(**SHORT)


def draw(n_rows, rng):
    """Draw a table of dialogues of twenty turns, and a class for each."""
    blocks = {name: rng.normal(size=(n_rows, n)) for name, n in WIDTHS.items()}
    row = np.arange(n_rows)
    X = make_frame(blocks, dialogue=row // 20, turn=row % 20, speaker=row % 2)
    return X, rng.choice(["joy", "anger", "neutral"], n_rows)


def follow(model, features, turns):
    """Return the processor's milliseconds for a turn, by its number."""
    conversation, spent = LiveConversation(model), []
    for row in features[: max(turns)]:
        start = time.process_time()
        conversation.add(speaker=len(conversation) % 2, features=row)
        spent.append(1000 * (time.process_time() - start))
    # The median of the turns before it, since a single one can meet with a collection
    # of garbage.
    return {turn: np.median(spent[max(0, turn - 9) : turn]) for turn in turns}


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, nargs="+", default=[10, 50, 100, 200, 400])
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    X, y = draw(240, rng)
    features = drop_keys(draw(max(asked.turns), rng)[0]).to_numpy()
    print(f"{'ms at turn':30}" + "".join(f"{turn:8}" for turn in asked.turns))
    for name, model in models():
        target = X["text__0"] if "regressor" in name else y
        spent = follow(model.fit(X, target), features, asked.turns)
        print(f"{name:30}" + "".join(f"{spent[turn]:8.1f}" for turn in asked.turns))


if __name__ == "__main__":
    main()
