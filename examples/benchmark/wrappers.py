"""Estimators that change what another one is given to learn from."""

import numpy as np
import optuna
from imblearn.base import SamplerMixin
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone

from benchmark.bigru import features
from benchmark.floors import logistic
from benchmark.splits import ID, some
from benchmark.steps import fill_missing
from skmerc import DJVAEFuser
from skmerc.frame import KEYS, drop_keys
from skmerc.metrics import minority_f1_scorer, sample_quality
from skmerc.tuning import DialogueObjective

QUALITIES = (
    "two_sample_auc frechet_distance precision recall density coverage copy_rate"
).split()


class Wrapped(ClassifierMixin, BaseEstimator):
    """A classifier inside; `_fit` says what it learns from, `_read` what it reads."""

    def fit(self, X, y):
        """Fit the classifier inside."""
        self.model_ = self._fit(X, np.asarray(y))
        return self

    @property
    def classes_(self):
        """The emotions."""
        return self.model_.classes_

    def predict(self, X):
        """Answer."""
        return self.model_.predict(self._read(X))

    def predict_proba(self, X):
        """Answer with probabilities."""
        return self.model_.predict_proba(self._read(X))

    def transform(self, X):
        """Embed."""
        return self.model_.transform(self._read(X))

    def _read(self, X):
        return X


class OfBlocks(Wrapped):
    """Reads some modalities alone."""

    def __init__(self, estimator, blocks):
        self.estimator = estimator
        self.blocks = blocks

    def _fit(self, X, y):
        return clone(self.estimator).fit(self._read(X), y)

    def _read(self, X):
        return X[[c for c in X if c in KEYS or c.split("__")[0] in self.blocks]]


class OfShare(Wrapped):
    """Learns from a share of the training dialogues, and stops by all held-out ones."""

    def __init__(self, estimator, share, random_state=None):
        self.estimator = estimator
        self.share = share
        self.random_state = random_state

    def _fit(self, X, y):
        ordinary = X[ID][X["dialogue__role"] != "validation"]
        number = max(2, round(self.share * ordinary.nunique()))
        kept = X[ID].isin(some(ordinary, number, self.random_state))
        kept = (kept | (X["dialogue__role"] == "validation")).to_numpy()
        return clone(self.estimator).fit(X[kept].reset_index(drop=True), y[kept])


class OfDomain(Wrapped):
    """Learns from dialogues whose ids begin so; see :func:`splits.transfer`."""

    def __init__(self, estimator, domains):
        self.estimator = estimator
        self.domains = domains

    def _fit(self, X, y):
        return clone(self.estimator).fit(*of_domains(X, y, self.domains))


class FineTuned(Wrapped):
    """Learns from one domain, and then goes on from its weights on another."""

    def __init__(self, estimator, first="source", then="few", max_epochs=20):
        self.estimator = estimator
        self.first = first
        self.then = then
        self.max_epochs = max_epochs

    def _fit(self, X, y):
        model = clone(self.estimator).fit(*of_domains(X, y, [self.first]))
        lr, epochs = model.lr / 3, min(self.max_epochs, model.max_epochs)
        model.set_params(warm_start=True, lr=lr, max_epochs=epochs)
        return model.fit(*of_domains(X, y, [self.then]))


def of_domains(X, y, domains):
    """Take the dialogues whose ids begin so."""
    kept = X[ID].str.startswith(tuple(domains)).to_numpy()
    return X[kept].reset_index(drop=True), y[kept]


class PlainVAE(TransformerMixin, BaseEstimator):
    """A variational autoencoder on the concatenation, blind to modalities."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        """Fit a fuser for which all features are one modality."""
        self.fuser_ = DJVAEFuser(
            modalities={"all": list(drop_keys(X).columns)},
            gamma=0.0,
            modality_dropout=0.0,
            random_state=self.random_state,
        ).fit(X)
        return self

    def transform(self, X):
        """Fuse."""
        return self.fuser_.transform(X)


class Taught(Wrapped):
    """Logistic regression on synthetic utterances alone, as many as real ones.

    It keeps how they compare with real ones of their class, in the mean of the rare
    classes: `qualities_`.
    """

    def __init__(self, sampler: SamplerMixin, random_state=None):
        self.sampler = sampler
        self.random_state = random_state

    def _fit(self, X, y):
        kept = (X["dialogue__role"] == "utterance").to_numpy()
        X, y = fill_missing(X[kept].reset_index(drop=True)), y[kept]
        sampler = clone(self.sampler)
        inner = getattr(sampler, "sampler", sampler)
        inner.set_params(sampling_strategy=double(y), random_state=self.random_state)
        more, labels = sampler.fit_resample(X, y)
        new, labels = more[len(X) :], np.asarray(labels)[len(X) :]
        self.qualities_ = self._judge((X, y), (new, labels))
        new = new.assign(dialogue__role="utterance").reset_index(drop=True)
        return logistic().fit(new, labels)

    def _judge(self, real, synthetic):
        names, counts = np.unique(real[1], return_counts=True)
        rare = names[counts <= counts.mean()]
        found = [
            sample_quality(
                *(features(X[y == label]) for X, y in (real, synthetic)),
                random_state=self.random_state,
            )
            for label in rare
        ]
        return {name: float(np.mean([f[name] for f in found])) for name in QUALITIES}


def double(y):
    """Ask for as many synthetic utterances of each class as there are."""
    labels, counts = np.unique(y, return_counts=True)
    return dict(zip(labels.tolist(), (2 * counts).tolist(), strict=True))


class Tuned(Wrapped):
    """Settings that Optuna finds on folds of the training dialogues, by minority F1."""

    def __init__(self, estimator, space, n_trials=20, random_state=None):
        self.estimator = estimator
        self.space = space
        self.n_trials = n_trials
        self.random_state = random_state

    def _fit(self, X, y):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        objective = DialogueObjective(
            self.estimator, X, y, self.space, cv=3, scoring=minority_f1_scorer
        )
        sampler = optuna.samplers.TPESampler(seed=self.random_state)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(objective, n_trials=self.n_trials)
        self.best_params_ = study.best_params
        return clone(self.estimator).set_params(**study.best_params).fit(X, y)
