"""Compare generated utterances with real ones, beside SMOTE and plain repetition.

    python examples/sample_quality.py --data iemocap6_ta.npz --modalities text audio \
        --labels hap

Every sampler writes as many utterances of each class as there are. The measures of
:func:`skmerc.metrics.sample_quality` set those of one class against the real training
utterances of that class. The last column trains a logistic regression on synthetic
utterances alone, of all classes, and tests it on the real test dialogues (macro F1,
in points). Means over seeds; it prints Markdown.
"""

import argparse

import numpy as np
import pandas as pd
from bigru import features
from imblearn.over_sampling import SMOTE, RandomOverSampler
from results_table import logistic, print_row, read
from sklearn.metrics import f1_score

from skmerc import DialogueSampler, MultimodalGANSampler
from skmerc.metrics import sample_quality

COLUMNS = (
    "two_sample_auc frechet_distance precision recall density coverage copy_rate"
).split()


def double(y):
    """Ask for as many synthetic utterances of each class as there are."""
    labels, counts = np.unique(y, return_counts=True)
    return dict(zip(labels.tolist(), (2 * counts).tolist(), strict=True))


SAMPLERS = {
    "random over-sampling": lambda seed: DialogueSampler(
        RandomOverSampler(sampling_strategy=double, random_state=seed)
    ),
    "SMOTE": lambda seed: DialogueSampler(
        SMOTE(sampling_strategy=double, random_state=seed)
    ),
    'GAN, source="same"': lambda seed: MultimodalGANSampler(
        sampling_strategy=double, random_state=seed
    ),
    "GAN, classification_weight=0.1": lambda seed: MultimodalGANSampler(
        sampling_strategy=double, classification_weight=0.1, random_state=seed
    ),
    'GAN, source="any"': lambda seed: MultimodalGANSampler(
        sampling_strategy=double, source="any", random_state=seed
    ),
}


def judge(sampler, parts, labels, seed):
    """Measure the synthetic rows of some classes, and what they teach."""
    X, y, X_test, y_test = parts
    X_more, y_more = sampler.fit_resample(X, y)
    synthetic = X_more[len(X) :], np.asarray(y_more)[len(X) :]
    answer = logistic(features).fit(*synthetic).predict(X_test)
    teaches = 100 * f1_score(y_test, answer, average="macro")
    rows = {}
    for label in labels:
        real, fake = features(X[y == label]), features(synthetic[0])
        quality = sample_quality(real, fake[synthetic[1] == label], random_state=seed)
        rows[label] = {**quality[COLUMNS], "teaches": teaches}
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--modalities", nargs="+")
    parser.add_argument("--labels", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    ((X, y, X_test, y_test),) = read(arguments.data, arguments.modalities)
    kept = (X["dialogue__role"] != "validation").to_numpy()
    parts = X[kept], np.asarray(y)[kept], X_test, y_test
    answer = logistic(features).fit(*parts[:2]).predict(X_test)
    real = 100 * f1_score(y_test, answer, average="macro")
    print(f"Macro F1 of the same logistic regression on real utterances: {real:.1f}\n")
    print_row("class", "sampler", *COLUMNS, "macro F1 taught")
    for name, make in SAMPLERS.items():
        runs = [
            judge(make(seed), parts, arguments.labels, seed)
            for seed in range(arguments.seeds)
        ]
        for label in arguments.labels:
            mean = pd.DataFrame([run[label] for run in runs]).mean()
            *measures, teaches = mean
            print_row(label, name, *(f"{m:.2f}" for m in measures), f"{teaches:.1f}")


if __name__ == "__main__":
    main()
