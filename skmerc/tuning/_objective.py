"""What Optuna maximises: the mean score over folds of dialogues."""

from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from optuna import TrialPruned
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)
from optuna.study import StudyDirection
from optuna.trial import BaseTrial
from sklearn.base import clone, is_regressor
from sklearn.metrics import check_scoring, mean_absolute_error
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length
from skorch.callbacks import Callback

from skmerc._utils.compat import (
    HasMethods,
    StrOptions,
    safe_split,
    validate_params,
)
from skmerc._utils.types import Table
from skmerc.frame._warnings import warn_of_other_order
from skmerc.metrics import make_dialogue_scorer, weighted_f1_scorer
from skmerc.model_selection import DialogueKFold
from skmerc.model_selection._split import folds_of

_Scores = list[dict[str, float]]


class DialogueObjective:
    """The mean score of a model over folds of dialogues, for ``study.optimize``.

    Each trial takes parameters from the ranges, fits a clone of the model on every
    fold, and may be pruned on the way: it reports the mean score of the folds so far
    after each fold, and within a fold after each epoch where that is asked for.

    Parameters
    ----------
    estimator : estimator or pipeline
        What is to be tuned. It stays as it is. With an integer ``random_state`` the
        same parameters give the same score.
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        Whole dialogues.
    y : array-like of shape (n_utterances,)
        Their emotions, or scores.
    space : dict of str to optuna.distributions.BaseDistribution
        Range of each parameter that is searched, for example from
        :func:`search_space`.
    cv : int, splitter, iterable or None, default=None
        The folds, the same for all trials: a number of folds of
        :class:`~skmerc.model_selection.DialogueKFold` (None is 3), a splitter, or
        pairs of training and test rows.
    scoring : str, callable, list, dict or None, default=None
        A scorer, or several in a list of names or a dict. Trials are judged by the
        first. None is :data:`skmerc.metrics.weighted_f1_scorer`, and of a regressor the
        negative mean absolute error, context rows left out.
    report : {"fold", "epoch"}, default="fold"
        When a trial reports and may be pruned. ``"epoch"`` needs a classifier or the
        regressor of skmerc as the last step, which holds out validation dialogues while
        it trains: the fold under way then counts as the first score of these.

    Raises
    ------
    ValueError
        If the ranges name no parameter of the estimator, or epochs cannot be told.

    See Also
    --------
    search_space : Ranges that are worth searching.

    Notes
    -----
    Scores are to be maximised: make the study with ``direction="maximize"``.

    What all scorers say is kept with the trial, under the names that scikit-learn's
    searches use: ``trial.user_attrs["split0_test_score"]`` and so on, and
    ``"mean_test_score"`` once all folds are done; with several scorers their names
    stand in the place of ``score``.

    A report after a fold has the number of the fold as its step. With
    ``report="epoch"`` each fold has as many steps as the classifier has `max_epochs`,
    and one more for the fold's own score, whether it stops early or not, so that the
    same step is the same point of every trial. `max_epochs` can therefore not be
    searched there; pruning and early stopping do that work.

    ``study.optimize(n_jobs=2)`` runs threads, in which each fit has random numbers of
    its own. Much of a small network's time is Python's, of which one thread runs at a
    time: several processes with one storage are faster.

    Examples
    --------
    >>> import optuna
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.tuning import DialogueObjective, search_space
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> X, y = make_conversations(12, random_state=0)
    >>> model = CBERLClassifier(hidden_size=8, max_epochs=2, random_state=0)
    >>> space = {"lr": search_space(model)["lr"]}
    >>> study = optuna.create_study(direction="maximize")
    >>> study.optimize(DialogueObjective(model, X, y, space, cv=2), n_trials=2)
    >>> sorted(study.best_trial.user_attrs)
    ['mean_test_score', 'split0_test_score', 'split1_test_score']
    >>> model = model.set_params(**study.best_params).fit(X, y)
    """

    @validate_params(
        {
            "estimator": [HasMethods(["get_params", "set_params", "fit"])],
            "space": [dict],
            "cv": ["cv_object"],
            "scoring": [str, callable, list, tuple, dict, None],
            "report": [StrOptions({"fold", "epoch"})],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        estimator: Any,
        X: Table,
        y: ArrayLike,
        space: dict[str, BaseDistribution],
        *,
        cv: Any = None,
        scoring: Any = None,
        report: Literal["fold", "epoch"] = "fold",
    ) -> None:
        check_consistent_length(X, y)
        warn_of_other_order(X, y)  # which no part of them shows
        self.estimator, self.X, self.y, self.space = estimator, X, y, space
        self.cv, self.scoring, self.report = cv, scoring, report
        self._check_names()
        if report == "epoch":
            self._check_epochs()
        self._scorer = check_scoring(estimator, scoring=_named(estimator, scoring))
        self._folds = folds_of(_splitter(cv), X, y)

    def _check_names(self) -> None:
        unknown = sorted(set(self.space) - set(self.estimator.get_params()))
        if unknown or not self.space:
            raise ValueError(
                f"The space must name parameters of {type(self.estimator).__name__}, "
                f"and holds {unknown or 'nothing'}. In a pipeline names begin with "
                "the step, as in 'clf__lr'."
            )
        for name, distribution in self.space.items():
            if not isinstance(distribution, BaseDistribution):
                raise TypeError(
                    f"space[{name!r}] is {distribution!r}; give a distribution of "
                    "Optuna, such as optuna.distributions.FloatDistribution(1e-4, "
                    "1e-2, log=True)."
                )

    def _check_epochs(self) -> None:
        prefix, last = _last_step(self.estimator)
        if not {"callbacks", "max_epochs"} <= set(last.get_params()):
            raise ValueError(
                f"report='epoch' needs a model of skmerc as the last step, got "
                f"{type(last).__name__}; use report='fold'."
            )
        if f"{prefix}max_epochs" in self.space:
            raise ValueError(
                "With report='epoch' max_epochs cannot be searched, since the epochs "
                "of all trials are compared. Take it out of the space, or use "
                "report='fold'."
            )

    def __call__(self, trial: BaseTrial) -> float:
        """Score the parameters of a trial.

        Parameters
        ----------
        trial : optuna.trial.Trial
            What suggests the parameters, and is told the scores.

        Returns
        -------
        float
            Mean over the folds of the first score.

        Raises
        ------
        ValueError
            If the study does not maximise, or has several objectives.
        optuna.TrialPruned
            If the study's pruner says so.
        """
        _check_direction(trial)
        params = {name: _suggest(trial, name, self.space[name]) for name in self.space}
        folds: _Scores = []
        for train, test in self._folds:
            model = clone(self.estimator).set_params(**params)
            if self.report == "epoch":
                self._report_epochs(model, trial, folds)
            folds.append(self._fit_and_score(model, train, test))
            for name, score in folds[-1].items():
                trial.set_user_attr(f"split{len(folds) - 1}_test_{name}", float(score))
            self._report_fold(trial, folds)
        for name in folds[0]:
            mean = float(np.mean([scores[name] for scores in folds]))
            trial.set_user_attr(f"mean_test_{name}", mean)
        return float(np.mean(_decisive(folds)))

    def _fit_and_score(
        self, model: Any, train: np.ndarray, test: np.ndarray
    ) -> dict[str, float]:
        model.fit(*safe_split(model, self.X, self.y, train))
        return self._scorer(model, *safe_split(model, self.X, self.y, test, train))

    def _report_epochs(self, model: Any, trial: BaseTrial, folds: _Scores) -> None:
        _, last = _last_step(model)
        first_step = len(folds) * (last.max_epochs + 1)
        report = _EpochReport(trial, first_step, _decisive(folds), self._scorer)
        last.set_params(callbacks=[*(last.callbacks or []), report])

    def _report_fold(self, trial: BaseTrial, folds: _Scores) -> None:
        step = len(folds) - 1
        if self.report == "epoch":
            _, last = _last_step(self.estimator)
            step = len(folds) * (last.max_epochs + 1) - 1
        trial.report(float(np.mean(_decisive(folds))), step)
        if len(folds) < len(self._folds) and trial.should_prune():
            raise TrialPruned(f"Pruned after fold {len(folds)}.")


class _EpochReport(Callback):
    """Tell a trial the score of each epoch, beside those of the folds before."""

    def __init__(
        self, trial: Any, first_step: int, scores: list[float], scorer: Any
    ) -> None:
        self.trial, self.first_step, self.scores = trial, first_step, scores
        self.scorer = scorer

    def __sklearn_clone__(self) -> "_EpochReport":
        # A copied trial would report into nowhere.
        return self

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Report the mean, and stop where the trial is pruned."""
        latest = net.rows_.score_validation(net, self.scorer)
        if latest is None:
            raise ValueError(
                "report='epoch' needs a score of validation dialogues, and the "
                "model has none: set patience, give it dialogues enough that some "
                "are held out (see validation_fraction), or mark some by "
                "mark_validation; or use report='fold'."
            )
        epoch = len(net.history) - 1
        score = float(np.mean([*self.scores, *_decisive([latest])]))
        self.trial.report(score, self.first_step + epoch)
        if self.trial.should_prune():
            raise TrialPruned(
                f"Pruned in epoch {epoch + 1} of fold {len(self.scores) + 1}."
            )

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Let go of the trial and the score, so that no fitted net carries them."""
        self.trial = self.scorer = None


def _decisive(folds: _Scores) -> list[float]:
    """The first score of each fold, by which trials are judged."""
    return [next(iter(scores.values())) for scores in folds]


def _named(estimator: Any, scoring: Any) -> Any:
    if isinstance(scoring, (list, tuple, dict)):
        return scoring
    if scoring is None and is_regressor(estimator):
        scoring = make_dialogue_scorer(mean_absolute_error, greater_is_better=False)
    return {"score": weighted_f1_scorer if scoring is None else scoring}


def _splitter(cv: Any) -> Any:
    if cv is None or isinstance(cv, Integral):
        return DialogueKFold(3 if cv is None else cv)
    return check_cv(cv)


def _last_step(model: Any) -> tuple[str, Any]:
    """Prefix of the parameters of the last step of a pipeline, and the step."""
    prefix = ""
    while hasattr(model, "steps"):
        name, model = model.steps[-1]
        prefix += f"{name}__"
    return prefix, model


def _check_direction(trial: BaseTrial) -> None:
    study = getattr(trial, "study", None)  # a FixedTrial has none
    if study is not None and study.directions != [StudyDirection.MAXIMIZE]:
        raise ValueError(
            "The objective is a score: make the study with direction='maximize'. Of "
            "several scores the first is maximised, and the others are kept with the "
            "trials."
        )


def _suggest(trial: BaseTrial, name: str, distribution: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    is_float = isinstance(distribution, FloatDistribution)
    suggest = trial.suggest_float if is_float else trial.suggest_int
    low, high = distribution.low, distribution.high
    return suggest(name, low, high, step=distribution.step, log=distribution.log)
