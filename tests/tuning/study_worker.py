"""A process that takes part in a study: study_worker.py STORAGE N_TRIALS [hang].

It prints a line for each finished trial, and stops early when a trial of anybody has
failed. With "hang" it sleeps for good in the middle of its second trial, when that has
scored its first fold and the database knows that it is alive.
"""

import sys
import threading
import time
import warnings
from contextlib import contextmanager

import optuna
from optuna.distributions import FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import NopPruner
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys
from skmerc.metrics import weighted_f1_scorer
from skmerc.tuning import DialogueObjective

NAME = "calls"
N_FOLDS = 2


class BeatingStorage(RDBStorage):
    """A database with a heartbeat that tells this process when it was written.

    A trial without any heartbeat counts as running for ever, even if its process dies.
    """

    def __init__(self, url):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of the heartbeat
            super().__init__(url, heartbeat_interval=1, grace_period=8)
        self.beaten = threading.Event()

    def record_heartbeat(self, trial_id):
        super().record_heartbeat(trial_id)
        self.beaten.set()


@contextmanager
def storage_at(url):
    """A storage by what its address says: a journal, or a database with heartbeat."""
    if url.endswith(".log"):
        yield JournalStorage(JournalFileBackend(url))
        return
    storage = BeatingStorage(url)
    yield storage
    storage.remove_session()
    storage.engine.dispose()


class HangingScorer:
    """Weighted F1, until it has been asked a number of times."""

    def __init__(self, n_calls, storage):
        self.n_calls = n_calls
        self.storage = storage

    def __call__(self, estimator, X, y):
        self.n_calls -= 1
        if self.n_calls < 0:
            self.storage.beaten.clear()  # the trials before this one have set it, too
            self.storage.beaten.wait()
            print("hanging", flush=True)
            time.sleep(600)
        return weighted_f1_scorer(estimator, X, y)


def objective(scoring=None):
    """The mean score of logistic regression, whose only parameter is C."""
    X, y = make_conversations(12, random_state=0)
    model = make_pipeline(
        FunctionTransformer(drop_keys), LogisticRegression(max_iter=500)
    )
    space = {"logisticregression__C": FloatDistribution(1e-4, 1.0, log=True)}
    return DialogueObjective(model, X, y, space, cv=N_FOLDS, scoring=scoring)


def take_part(url, n_trials, hang=False):
    """Add trials to the study and print them; return their numbers and values."""
    own = {}

    def keep(study, trial):
        own[trial.number] = trial.value
        print(trial.number, trial.value, flush=True)
        if study.get_trials(deepcopy=False, states=[TrialState.FAIL]):
            study.stop()

    with storage_at(url) as storage:
        scoring = HangingScorer(N_FOLDS + 1, storage) if hang else None
        study = optuna.load_study(study_name=NAME, storage=storage, pruner=NopPruner())
        study.optimize(objective(scoring), n_trials=n_trials, callbacks=[keep])
    return own


if __name__ == "__main__":
    url, n_trials, *rest = sys.argv[1:]
    take_part(url, int(n_trials), hang=bool(rest))
