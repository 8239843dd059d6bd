"""Score CBERL beside its floors on one table of conversations.

    python examples/results_table.py --data iemocap6_ta.npz --modalities text audio \
        --minority hap exc --seeds 5

The table is a file for :func:`skmerc.datasets.load_table` with the parts train, dev
and test. Models learn from train, stop by the weighted F1 of dev, and are scored
once on test; where there is no dev part, twelve training dialogues serve. Scores are
mean and deviation over seeds, in points. It prints Markdown.
"""

import argparse
import time

import numpy as np
import pandas as pd
import torch
from imblearn.pipeline import Pipeline
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence, pad_sequence

from skmerc import CBERLClassifier, DJVAEFuser, MultimodalGANSampler
from skmerc.datasets import load_table
from skmerc.frame import drop_keys, mark_validation, read_keys

N_VALIDATION = 12


class GRUClassifier(ClassifierMixin, BaseEstimator):
    """A plain two-layer Bi-GRU over the dialogue: the floor of this task."""

    def __init__(self, epochs=40, batch_size=8, random_state=None):
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X, y):
        torch.manual_seed(self.random_state)
        self.classes_, target = np.unique(y, return_inverse=True)
        held_out = (read_keys(X)["dialogue__role"] == "validation").to_numpy()
        self.scaler_ = StandardScaler().fit(_features(X)[~held_out])
        data, validation = self._dialogues(X[~held_out]), self._dialogues(X[held_out])
        answers = [torch.from_numpy(target[~held_out][rows]) for rows, _ in data]
        self.gru_ = nn.GRU(data[0][1].shape[1], 128, 2, bidirectional=True, dropout=0.4)
        self.head_ = nn.Sequential(nn.Dropout(0.4), nn.Linear(256, len(self.classes_)))
        self.modules_ = nn.ModuleList([self.gru_, self.head_])
        optimizer = torch.optim.AdamW(self.modules_.parameters(), 1e-3)
        criterion = nn.CrossEntropyLoss(label_smoothing=0.1, ignore_index=-1)
        best = -1
        for _ in range(self.epochs):
            self.modules_.train()
            for batch in torch.randperm(len(data)).split(self.batch_size):
                logits = self._forward([data[i][1] for i in batch])
                padded = pad_sequence([answers[i] for i in batch], padding_value=-1)
                loss = criterion(logits.flatten(0, 1), padded.flatten())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            found = self._answer(validation, int(held_out.sum()))
            score = f1_score(target[held_out], found, average="weighted")
            if score > best:
                best = score
                kept = {k: v.clone() for k, v in self.modules_.state_dict().items()}
        self.modules_.load_state_dict(kept)
        return self

    def predict(self, X):
        return self.classes_[self._answer(self._dialogues(X), len(X))]

    def _dialogues(self, X):
        keys = read_keys(X)
        values = np.clip(self.scaler_.transform(_features(X)), -10, 10)
        dialogues = []
        for _, part in keys.groupby("dialogue__id", sort=False):
            rows = part.sort_values("dialogue__turn").index.to_numpy()
            speaker = keys["dialogue__speaker"].to_numpy()[rows]
            same = np.append(0, speaker[1:] == speaker[:-1])[:, None]
            inputs = np.hstack([values[rows], same]).astype(np.float32)
            dialogues.append((rows, torch.from_numpy(inputs)))
        return dialogues

    def _forward(self, dialogues):
        packed = pack_sequence(dialogues, enforce_sorted=False)
        return self.head_(pad_packed_sequence(self.gru_(packed)[0])[0])

    @torch.no_grad()
    def _answer(self, dialogues, n_rows):
        self.modules_.eval()
        answer = np.zeros(n_rows, int)
        for rows, inputs in dialogues:
            answer[rows] = self._forward([inputs])[:, 0].argmax(1).numpy()
        return answer


def _features(X):
    return np.nan_to_num(drop_keys(X).to_numpy())


def row_wise(seed):
    """Logistic regression on one utterance at a time."""
    return make_pipeline(
        FunctionTransformer(_features),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -10, "a_max": 10}),
        LogisticRegression(C=0.01, max_iter=2000),
    )


def three_steps(seed):
    """Build the pipeline of the main job."""
    return Pipeline(
        [
            (
                "augment",
                MultimodalGANSampler(sampling_strategy="mean", random_state=seed),
            ),
            ("fuse", DJVAEFuser(random_state=seed)),
            ("recognise", CBERLClassifier(random_state=seed)),
        ]
    )


MODELS = {
    "most frequent": lambda seed: DummyClassifier(),
    "logistic regression": row_wise,
    "Bi-GRU": lambda seed: GRUClassifier(random_state=seed),
    "CBERL, three steps": three_steps,
    "CBERL classifier alone": lambda seed: CBERLClassifier(random_state=seed),
}
FIXED = ("most frequent", "logistic regression")


def read(path, modalities):
    """Read the parts; dev becomes validation."""
    X, y, split = load_table(path, modalities=modalities, return_split=True)
    train = split != "test"
    held_out = X["dialogue__id"][split == "dev"].unique()
    if not len(held_out):
        ids = X["dialogue__id"][train].unique()
        held_out = np.random.RandomState(0).choice(ids, N_VALIDATION, replace=False)
    X = mark_validation(X, dialogues=held_out)
    return X[train], y[train], X[~train], y[~train]


def score(model, name, parts, minority):
    """Fit on train, score once on test."""
    X, y, X_test, y_test = parts
    if name in FIXED:  # they have nothing to stop, so validation rows are spare
        kept = (X["dialogue__role"] != "validation").to_numpy()
        X, y = X[kept], y[kept]
    start = time.perf_counter()
    answer = model.fit(X, y).predict(X_test)
    seconds = time.perf_counter() - start
    scores = {
        "weighted F1": f1_score(y_test, answer, average="weighted", zero_division=0),
        "macro F1": f1_score(y_test, answer, average="macro", zero_division=0),
    }
    for label in minority:
        found = f1_score(y_test, answer, labels=[label], average=None, zero_division=0)
        scores[f"F1 {label}"] = found[0]
    return {name: 100 * value for name, value in scores.items()} | {"s": seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--modalities", nargs="+")
    parser.add_argument("--minority", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    arguments = parser.parse_args()
    parts = read(arguments.data, arguments.modalities)
    lines = {}
    for name in arguments.models:
        seeds = range(1 if name in FIXED else arguments.seeds)
        runs = [
            score(MODELS[name](seed), name, parts, arguments.minority) for seed in seeds
        ]
        runs = pd.DataFrame(runs)
        spread = runs.std(ddof=1) if len(runs) > 1 else runs.iloc[0] * np.nan
        lines[name] = [
            f"{runs[column].mean():.0f}"
            if column == "s"
            else f"{runs[column].mean():.1f}"
            + ("" if np.isnan(spread[column]) else f" ± {spread[column]:.1f}")
            for column in runs
        ]
        print(f"| {name} | " + " | ".join(lines[name]) + " |", flush=True)
    print("| model | " + " | ".join(runs.columns) + " |")


if __name__ == "__main__":
    main()
