"""Sets of emotions that hold the true one as often as is promised."""

from numbers import Real
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils import column_or_1d, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skmerc._utils.compat import HasMethods, Interval, StrOptions, fit_context
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.registry import storable
from skmerc._utils.types import Table
from skmerc._utils.warnings import warn_user
from skmerc.ensemble._members import (
    LabelledScoreMixin,
    refuse_ignorant,
    split_dialogues,
)
from skmerc.frame._columns import KEYS, parse_table, source_ids
from skmerc.frame._labels import read_labels, refuse_context_alone
from skmerc.frame._numbers import unmasked

__all__ = ["DialogueConformalClassifier"]


@storable
class DialogueConformalClassifier(
    LabelledScoreMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    r"""Sets of emotions that hold the true one as often as is promised.

    Classifiers that were trained without a dialogue tell how unusual its true emotions
    are to them. A set holds every emotion that is not more unusual than all but a share
    `alpha` of those: one where the model is sure, several where it is not, and none
    where nothing fits.

    Parameters
    ----------
    estimator : classifier, default=None
        A classifier or pipeline with ``predict_proba``. One that is fitted already
        stands in a :class:`~sklearn.frozen.FrozenEstimator`; the table then only
        calibrates it. By default logistic regression, for X without keys.
    alpha : float in (0, 1), default=0.1
        Share of utterances whose set may miss the true emotion.
    cv : int, splitter or iterable, default=5
        How dialogues are left out: a number of folds, those of
        :class:`~skmerc.model_selection.StratifiedDialogueKFold`, or a splitter or pairs
        of training and test rows that test each dialogue in one fold at most.
    method : {"lac", "aps"}, default="lac"
        How unusual an emotion is: ``"lac"``, one minus its probability [1]_, which
        gives the smallest sets; ``"aps"``, the probability of it and of all that are
        at least as probable [2]_, without their random part, which gives larger sets
        that are more alike in their coverage of easy and hard utterances. Scores of the
        calibration are kept, so that another one takes another fit; `alpha` and
        `per_class` may be changed after it.
    per_class : bool, default=False
        Whether coverage is meant for the utterances of each emotion, by a calibration
        of its own. Sets are larger.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels of the rows that have one.
    estimator_ : object
        The estimator, fitted to all dialogues, which answers ``predict``.
    estimators_ : list
        The estimators of the folds.
    calibration_ : list of DataFrame
        For each fold the ``"score"`` of the true emotion of each left-out labelled
        utterance, its ``"dialogue"`` and its ``"label"``, a position in `classes_`.
    n_features_in_ : int
        Number of feature columns, if the estimator tells it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the feature columns, if the estimator knows them.

    See Also
    --------
    skmerc.plotting.ReliabilityDisplay : Whether its probabilities mean what they say.

    Notes
    -----
    Utterances of a dialogue are alike, and cannot be exchanged with those of others.
    What is assumed is that *dialogues* can be: the new ones come as those of the table
    did. An emotion c gets the value

    .. math:: p(c) = \frac1{K + 1} \left(1 + \sum_{k=1}^K \frac1{n_k}
              \sum_{i=1}^{n_k} [S_{ki} \ge s_k(c)]\right)

    over the K dialogues with labelled utterances, and is in the set if this exceeds
    `alpha`; :math:`S_{ki}` are scores of true emotions and :math:`s_k(c)` is that of c
    from the estimator that left dialogue k out. Every dialogue counts alike however
    long it is [3]_, and so does the promise: an utterance drawn at random from a new
    dialogue is covered

    - with probability 1 - alpha at least, if the estimator is frozen and has not seen
      the dialogues of the table;
    - with 1 - 2 alpha - 2 (1 - alpha) (F - 1) / (K + F) at least, by F folds into which
      dialogues come without a look at what is in them, such as those of
      ``DialogueKFold(shuffle=True)``: p(c) is an average of a p-value from each fold
      but for the last term, and twice an average of p-values is one [4]_ [5]_.

    In practice it is about 1 - alpha by folds, too, and by folds that are stratified by
    labels, as by default, for which no bound is known. With few dialogues in a fold
    the bound says nothing: take few folds.

    Utterances are drawn as those here are labelled. Neither speaks of one dialogue
    alone, of kinds of speakers, or of dialogues from another source. With
    ``per_class=True`` the same holds for the utterances of each emotion, over the
    dialogues in which it occurs. With fewer than 1 / alpha - 1 of them nothing can be
    ruled out; a warning says so, and the emotion is in every set.

    Context and synthetic rows do not calibrate; the former get sets as all rows do.

    References
    ----------
    .. [1] Sadinle, M., Lei, J. and Wasserman, L. (2019). "Least ambiguous set-valued
       classifiers with bounded error levels". JASA.
    .. [2] Romano, Y., Sesia, M. and Candes, E. (2020). "Classification with valid and
       adaptive coverage". NeurIPS.
    .. [3] Lee, Y., Barber, R. F. and Willett, R. (2023). "Distribution-free inference
       with hierarchical data". arXiv:2306.06342.
    .. [4] Barber, R. F. et al. (2021). "Predictive inference with the jackknife+".
       Annals of Statistics 49. Its section on cross-conformal prediction has the bound.
    .. [5] Vovk, V. and Wang, R. (2020). "Combining p-values via averaging". Biometrika
       107. Averages may be weighted, so that folds may differ in size.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skmerc import DialogueConformalClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.frame import drop_keys
    >>> X, y = make_conversations(40, n_turns=(4, 8), random_state=0)
    >>> single = make_pipeline(FunctionTransformer(drop_keys), LogisticRegression())
    >>> model = DialogueConformalClassifier(single, alpha=0.2).fit(X, y)
    >>> model.predict_set(X).columns.tolist()
    ['anger', 'joy', 'neutral', 'sadness']
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object", HasMethods(["split"])],
        "method": [StrOptions({"lac", "aps"})],
        "per_class": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        alpha: float = 0.1,
        cv: Any = 5,
        method: Literal["lac", "aps"] = "lac",
        per_class: bool = False,
    ) -> None:
        self.estimator = estimator
        self.alpha = alpha
        self.cv = cv
        self.method = method
        self.per_class = per_class

    @fit_context(prefer_skip_nested_validation=False)
    @all_or_nothing
    def fit(self, X: Table, y: ArrayLike) -> Self:
        """Fit estimators without some dialogues, and calibrate on these.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.
        y : array-like of shape (n_utterances,)
            Their emotions; those of context rows are ignored by the calibration and
            handed on to the estimator as they are.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If no row is labelled, a label is missing in another row than context,
            there are fewer dialogues than folds, or `cv` tests a dialogue in several.
        """
        if y is None:
            raise ValueError(
                "DialogueConformalClassifier requires y to be passed, but the target y "
                "is None."
            )
        if issparse(X):
            raise TypeError("Sparse X is not supported; give a table: X.toarray().")
        table = parse_table(X)
        X, y = table.data, _one_column(y)
        labels = read_labels(y, table.is_context)
        check_classification_targets(labels)
        labelled = ~table.is_context
        refuse_context_alone(table.is_context)
        self.classes_ = np.unique(labels[labelled])
        calibrates = labelled & ~table.is_synthetic
        chosen = LogisticRegression() if self.estimator is None else self.estimator
        refuse_ignorant([("estimator", chosen)], X)
        dialogues = source_ids(table.keys[KEYS[0]]).to_numpy()
        self.estimators_, self._calibration = [], []
        self._scored_by = self.method
        folds = split_dialogues(self.cv, X, labels, labelled)
        _refuse_several_folds(dialogues, folds)
        if not isinstance(chosen, FrozenEstimator):  # which learns from no fold
            _refuse_learned(dialogues, folds)
        for train, test in folds:
            fitted = clone(chosen).fit(_take(X, train), _take(y, train))
            scores = self._scores(fitted, _take(X, test))
            number = np.searchsorted(self.classes_, labels[test][calibrates[test]])
            rows = np.flatnonzero(calibrates[test])
            kept = {
                "score": scores[rows, number],
                "dialogue": dialogues[test][rows].astype(str),
                "label": number,
            }
            self.estimators_.append(fitted)
            self._calibration.append(kept)
        self.estimator_ = clone(chosen).fit(X, y)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                delattr(self, name)
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        self._warn_of_few()
        return self

    @of_one_fit
    def predict(self, X: Table) -> np.ndarray:
        """Answer with the most probable emotion.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.

        Returns
        -------
        ndarray of shape (n_utterances,)
            What the estimator says.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @of_one_fit
    def predict_proba(self, X: Table) -> np.ndarray:
        """Answer with probabilities.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            What the estimator says, which the sets do not change.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @of_one_fit
    def predict_set(self, X: Table) -> pd.DataFrame:
        """Answer with sets of emotions.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.

        Returns
        -------
        DataFrame of bool of shape (n_utterances, n_classes)
            Whether each emotion is in the set of a row; with the index of X, and a
            column for each class.
        """
        check_is_fitted(self)
        weights = self._weights()
        above: Any = 0.0
        for fitted, kept, weight in zip(
            self.estimators_, self.calibration_, weights, strict=True
        ):
            above = above + self._mass_above(kept, weight, self._scores(fitted, X))
        # A mass that equals alpha up to rounding does not exceed it.
        is_in = above + 1 / (self._n_dialogues() + 1) > self.alpha + 1e-12
        index = X.index if isinstance(X, pd.DataFrame) else None
        return pd.DataFrame(is_in, index=index, columns=self.classes_)

    @property
    def calibration_(self) -> list[pd.DataFrame]:
        """Score, dialogue and label of the utterances of each fold."""
        return [pd.DataFrame(kept) for kept in self._calibration]

    def _scores(self, fitted: Any, X: Any) -> np.ndarray:
        """How unusual each class is in each row to an estimator."""
        known = np.asarray(fitted.classes_)
        given = np.asarray(fitted.predict_proba(X), dtype=np.float64)
        p = np.zeros((len(given), len(self.classes_)))
        shared = np.isin(known, self.classes_)
        p[:, np.searchsorted(self.classes_, known[shared])] = given[:, shared]
        if self._scored_by == "lac":
            return 1 - p
        below = [(p * (p < p[:, [k]])).sum(axis=1) for k in range(p.shape[1])]
        return 1 - np.stack(below, axis=1)

    def _weights(self) -> list[np.ndarray]:
        """Weights of the utterances of each fold, one in all for each dialogue."""
        by = ["dialogue", "label"] if self.per_class else ["dialogue"]
        n_dialogues = np.broadcast_to(self._n_dialogues(), len(self.classes_))
        return [
            1
            / kept.groupby(by)["score"].transform("size").to_numpy(float)
            / (n_dialogues[kept["label"]] + 1)
            for kept in self.calibration_
        ]

    def _n_dialogues(self) -> np.ndarray:
        """Number of dialogues that calibrate, of each class where each has its own."""
        kept = pd.concat(self.calibration_)
        if not self.per_class:
            return np.array(kept["dialogue"].nunique())
        counts = kept.groupby("label")["dialogue"].nunique()
        return counts.reindex(range(len(self.classes_)), fill_value=0).to_numpy()

    def _mass_above(
        self, kept: pd.DataFrame, weight: np.ndarray, scores: np.ndarray
    ) -> np.ndarray:
        """Weight of the calibrating utterances that are at least as unusual."""
        mass = np.zeros_like(scores)
        for k in range(scores.shape[1]):
            counts = (kept["label"] == k).to_numpy() | (not self.per_class)
            values = kept["score"].to_numpy()[counts]
            order = np.argsort(values)
            below = np.r_[0.0, weight[counts][order].cumsum()]
            place = np.searchsorted(values[order], scores[:, k], side="left")
            mass[:, k] = below[-1] - below[place]
        return mass

    def _warn_of_few(self) -> None:
        n_dialogues = np.atleast_1d(self._n_dialogues())
        few = np.flatnonzero(1 / (n_dialogues + 1) > self.alpha)
        if not len(few):
            return
        of = f" of {self.classes_[few].tolist()}" if self.per_class else ""
        warn_user(
            f"{n_dialogues[few].min()} dialogues{of} are too few to rule anything out "
            f"with alpha={self.alpha}, which takes {int(np.ceil(1 / self.alpha)) - 1}; "
            "until then it is in every set. Label more dialogues, or take a larger "
            "alpha.",
            UserWarning,
        )

    def __sklearn_tags__(self) -> Any:
        """Take over what the estimator says of its input."""
        tags = super().__sklearn_tags__()
        chosen = LogisticRegression() if self.estimator is None else self.estimator
        tags.input_tags = get_tags(chosen).input_tags
        tags.input_tags.sparse = False
        return tags


def _refuse_learned(dialogues: np.ndarray, folds: list) -> None:
    """Refuse folds that test dialogues of their own training rows."""
    for number, (train, test) in enumerate(folds):
        shared = np.intersect1d(dialogues[train], dialogues[test])
        if len(shared):
            raise ValueError(
                f"Fold {number} of cv trains with {len(shared)} of the dialogues that "
                f"it tests, the first is {shared[0]!r}, and sets keep their promise "
                "only for dialogues that a model has not seen. Give a number of folds, "
                "or skmerc.model_selection.StratifiedDialogueKFold."
            )


def _refuse_several_folds(dialogues: np.ndarray, folds: list) -> None:
    """Refuse folds that test a dialogue twice: it would calibrate twice."""
    tested = np.concatenate([np.unique(dialogues[test]) for _, test in folds])
    names, counts = np.unique(tested, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"cv tests {(counts > 1).sum()} dialogues in more than one fold, the first "
            f"is {names[counts > 1][0]!r}, and sets keep their promise only where each "
            "calibrates once. Give a number of folds, or "
            "skmerc.model_selection.StratifiedDialogueKFold."
        )


def _one_column(y: Any) -> Any:
    """Labels in one dimension, as a series where they are one."""
    if hasattr(y, "iloc") and y.ndim == 1:
        return y
    return column_or_1d(np.asarray(unmasked(y)), warn=True)


def _take(values: Any, rows: np.ndarray) -> Any:
    return values.iloc[rows] if hasattr(values, "iloc") else np.asarray(values)[rows]
