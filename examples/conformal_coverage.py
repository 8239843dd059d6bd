"""Whether sets of emotions hold the true one as often as was asked.

    python examples/conformal_coverage.py --data maia_text.npz --modalities text

The table is a file for :func:`skmerc.datasets.load_table` with a part test.
:class:`skmerc.DialogueConformalClassifier` learns from all other dialogues, around a
logistic regression on single utterances, for all utterances alike and for each emotion
apart. Its sets for the test dialogues are then compared with their labels: how often
they hold the true emotion, as the mean over dialogues, which is what is promised, and
over utterances; how often for the emotion that is worst off; and how many emotions are
in a set. It prints Markdown.
"""

import argparse

import numpy as np
from benchmark.floors import logistic

from skmerc import DialogueConformalClassifier
from skmerc.datasets import load_table
from skmerc.frame import read_keys


def coverage(sets, y, dialogue):
    """Tell how often sets hold the label, and how large they are."""
    place = np.searchsorted(sets.columns, y)
    is_in = sets.set_axis(range(sets.shape[1]), axis=1).to_numpy()
    found = np.pad(is_in, ((0, 0), (0, 1)))[np.arange(len(y)), place]
    by_dialogue = [found[dialogue == one].mean() for one in np.unique(dialogue)]
    by_class = {name: found[y == name].mean() for name in np.unique(y)}
    worst = min(by_class, key=by_class.get)
    return {
        "dialogues": np.mean(by_dialogue),
        "utterances": found.mean(),
        "worst emotion": f"{by_class[worst]:.3f} ({worst}, {np.sum(y == worst)})",
        "set size": sets.to_numpy().sum(axis=1).mean(),
    }


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--modalities", nargs="+")
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.1])
    parser.add_argument("--method", default="lac", choices=["lac", "aps"])
    asked = parser.parse_args()
    X, y, part = load_table(asked.data, modalities=asked.modalities, return_split=True)
    test = part == "test"
    keys = read_keys(X[test])
    labelled = (keys["dialogue__role"] == "utterance").to_numpy()
    dialogue = keys["dialogue__id"].to_numpy()[labelled]
    y_test = y[test][labelled].astype(str)
    header = "asked", "for", "dialogues", "utterances", "worst emotion", "set size"
    print(f"| {' | '.join(header)} |\n{'|---' * len(header)}|")
    for alpha in asked.alpha:
        for per_class in (False, True):
            model = DialogueConformalClassifier(
                logistic(), alpha=alpha, method=asked.method, per_class=per_class
            ).fit(X[~test], y[~test])
            sets = model.predict_set(X[test])[labelled]
            told = coverage(sets, y_test, dialogue).values()
            cells = [v if isinstance(v, str) else f"{v:.3f}" for v in told]
            whom = "each emotion" if per_class else "all utterances"
            print(f"| {1 - alpha:.2f} | {whom} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
