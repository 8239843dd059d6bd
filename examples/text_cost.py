"""Time and memory that a sentence model takes to read and to learn conversations.

    OMP_NUM_THREADS=1 python examples/text_cost.py --past 4 --speakers --layers 2

Dialogues of ten utterances of twelve words each are drawn from a list of words:
``--rows`` utterances, to be embedded once and learned from in one pass by one model.
The cost of more utterances, passes or folds is in proportion. Seconds are those of the
processor, and memory is that of the process at its peak, of which the libraries and
the model take the first part.
"""

import argparse
import resource
import sys
import time

import numpy as np
import pandas as pd

from skmerc.features import FineTunedTextEmbedder, TextEmbedder

WORDS = (
    "the a I you we they it is was not have do go come see know think want good bad "
    "new old time day way man woman house work life right what when how why all some"
).split()


def draw_table(n_rows):
    rng = np.random.default_rng(0)
    row = np.arange(n_rows)
    return pd.DataFrame(
        {
            "utterance": [" ".join(rng.choice(WORDS, 12)) for _ in row],
            "dialogue__id": (row // 10).astype(str),
            "dialogue__turn": row % 10,
            "dialogue__speaker": np.where(row % 2, "Ann", "Ben"),
        }
    ), rng.choice(["joy", "anger", "neutral"], n_rows)


def peak():
    """Most memory that the process has taken so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def report(what, embedder, X, y):
    start = time.process_time()
    embedder.fit(X, y) if y is not None else embedder.fit_transform(X)
    print(f"{what}: {time.process_time() - start:.0f} s, at most {peak():.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="sentence-transformers/all-MiniLM-L6-v2")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--past", type=int, default=0)
    parser.add_argument("--future", type=int, default=0)
    parser.add_argument("--speakers", action="store_true")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--tokens", type=int, default=2048, help="tokens_at_once")
    asked = parser.parse_args()
    settings = {
        "context_past": asked.past,
        "context_future": asked.future,
        "speakers": asked.speakers,
        "cache": None,
    }
    X, y = draw_table(asked.rows)
    print(f"{asked.rows} utterances; libraries {peak():.0f} MiB")
    report("embedded", TextEmbedder(asked.model, **settings), X, None)
    tuned = FineTunedTextEmbedder(
        asked.model, **settings, cv=None, max_epochs=1, layers=asked.layers,
        tokens_at_once=asked.tokens, random_state=0,
    )  # fmt: skip
    report("one pass", tuned, X, y)


if __name__ == "__main__":
    main()
