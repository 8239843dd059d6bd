"""A plain two-layer Bi-GRU over the dialogue: the floor that every system must beat.

It takes the same tables as the estimators of skmerc, learns from rows of role
"utterance", reads those of role "context" as neighbours, and keeps the epoch with the
best weighted F1 on rows of role "validation". Input dropout 0 and 0.4 with batches of
8, and 0.4 with batches of 16, were tried on training sessions of IEMOCAP; 0.4 with
batches of 8 was best.
"""

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence, pad_sequence

from skmerc.frame import drop_keys, read_keys


class GRUClassifier(ClassifierMixin, BaseEstimator):
    """Two-layer Bi-GRU; `imbalance` is None, "class_weight" or "logit_adjustment"."""

    def __init__(
        self,
        imbalance=None,
        epochs=40,
        batch_size=8,
        input_dropout=0.4,
        random_state=None,
    ):
        self.imbalance = imbalance
        self.epochs = epochs
        self.batch_size = batch_size
        self.input_dropout = input_dropout
        self.random_state = random_state

    def fit(self, X, y):
        """Train for all epochs and go back to the best."""
        torch.manual_seed(self.random_state)
        role = read_keys(X)["dialogue__role"].to_numpy()
        held_out, labelled = role == "validation", role != "context"
        self.classes_ = np.unique(np.asarray(y)[labelled].astype(str))
        target = np.full(len(y), -1)
        target[labelled] = np.searchsorted(
            self.classes_, np.asarray(y)[labelled].astype(str)
        )
        self.scaler_ = StandardScaler().fit(features(X)[~held_out])
        data, validation = self._dialogues(X[~held_out]), self._dialogues(X[held_out])
        answers = [torch.from_numpy(target[~held_out][rows]) for rows, _ in data]
        self._build(data[0][1].shape[1])
        optimizer = torch.optim.AdamW(self.modules_.parameters(), 1e-3)
        criterion, shift = self._objective(target[labelled & ~held_out])
        best = -1
        for _ in range(self.epochs):
            self.modules_.train()
            for batch in torch.randperm(len(data)).split(self.batch_size):
                logits = self._forward([data[i][1] for i in batch]) + shift
                padded = pad_sequence([answers[i] for i in batch], padding_value=-1)
                loss = criterion(logits.flatten(0, 1), padded.flatten())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            found = self._answer(validation, int(held_out.sum())).argmax(axis=1)
            score = f1_score(target[held_out], found, average="weighted")
            if score > best:
                best = score
                kept = {k: v.clone() for k, v in self.modules_.state_dict().items()}
        self.modules_.load_state_dict(kept)
        return self

    def predict(self, X):
        """Answer with the most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        """Return the probability of each class, one row each."""
        return self._answer(self._dialogues(X), len(X))

    def _build(self, n_inputs):
        self.enter_ = nn.Dropout(self.input_dropout)
        self.gru_ = nn.GRU(n_inputs, 128, 2, bidirectional=True, dropout=0.4)
        self.head_ = nn.Sequential(nn.Dropout(0.4), nn.Linear(256, len(self.classes_)))
        self.modules_ = nn.ModuleList([self.enter_, self.gru_, self.head_])

    def _objective(self, target):
        """Return the loss, and what is added to logits in training."""
        share = np.bincount(target, minlength=len(self.classes_)) / len(target)
        share = torch.from_numpy(share.astype(np.float32))
        weight, shift = None, torch.zeros(len(share))
        if self.imbalance == "class_weight":
            weight = 1 / (len(share) * share)
        elif self.imbalance == "logit_adjustment":
            shift = share.log()
        loss = nn.CrossEntropyLoss(weight, label_smoothing=0.1, ignore_index=-1)
        return loss, shift

    def _dialogues(self, X):
        keys = read_keys(X)
        values = np.clip(self.scaler_.transform(features(X)), -10, 10)
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
        packed = packed._replace(data=self.enter_(packed.data))
        return self.head_(pad_packed_sequence(self.gru_(packed)[0])[0])

    @torch.no_grad()
    def _answer(self, dialogues, n_rows):
        self.modules_.eval()
        answer = np.zeros((n_rows, len(self.classes_)), np.float32)
        for rows, inputs in dialogues:
            answer[rows] = self._forward([inputs])[:, 0].softmax(dim=1).numpy()
        return answer


def features(X):
    """Take the features without the keys; what is missing becomes 0."""
    return np.nan_to_num(drop_keys(X).to_numpy())
