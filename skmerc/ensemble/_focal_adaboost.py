"""Multi-class AdaBoost whose weak learners see a focal weighting of the rows."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.ensemble import AdaBoostClassifier
from sklearn.utils.validation import check_is_fitted

from skmerc._utils.compat import HasMethods, Interval
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.registry import storable
from skmerc._utils.types import RandomState

__all__ = ["FocalAdaBoostClassifier"]


class _Answering(AdaBoostClassifier):
    """AdaBoost whose answers each come from one fit, also when threads refit it."""

    decision_function = of_one_fit(AdaBoostClassifier.decision_function)
    predict = of_one_fit(AdaBoostClassifier.predict)
    predict_proba = of_one_fit(AdaBoostClassifier.predict_proba)
    predict_log_proba = of_one_fit(AdaBoostClassifier.predict_log_proba)

    def staged_decision_function(self, X: ArrayLike) -> Iterator[np.ndarray]:
        """Compute the decision function after each round.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Yields
        ------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            What ``decision_function`` would give after the round; 0 for one class,
            where the parent divides by zero.
        """
        check_is_fitted(self)
        if self.n_classes_ > 1:
            yield from super().staged_decision_function(X)
        else:
            yield from [self.decision_function(X)] * len(self.estimators_)

    @staticmethod
    def _compute_proba_from_decision(
        decision: np.ndarray, n_classes: int
    ) -> np.ndarray:
        if n_classes == 1:
            return np.ones((len(decision), 1))
        return AdaBoostClassifier._compute_proba_from_decision(decision, n_classes)


@storable
class FocalAdaBoostClassifier(_Answering):
    r"""AdaBoost (SAMME) with focal reweighting of the weak learners.

    CBERL ends in "AdaBoost with focal loss" [1]_; this is that stage as a
    general ensemble, for the embeddings of a network or any other table. With
    ``gamma=0`` it is :class:`~sklearn.ensemble.AdaBoostClassifier`.

    Parameters
    ----------
    estimator : estimator, default=None
        The weak learner: a classifier whose ``fit`` takes ``sample_weight``,
        and with ``predict_proba`` unless ``gamma=0``. By default a
        :class:`~sklearn.tree.DecisionTreeClassifier` of depth 1. The weights
        that it gets sum to one (see Notes on what this means for penalties).
    n_estimators : int, default=10
        Largest number of rounds. Ours; no source gives the number of [1]_.
    learning_rate : float, default=1.0
        Factor on the vote of every round, in (0, inf).
    gamma : float, default=2.0
        Focusing exponent, in [0, inf); 2 as in [3]_. The larger, the less a
        row counts that the weak learner of the round before was sure of.
    random_state : int, RandomState instance or None, default=None
        Source of the seeds of the weak learners.

    Attributes
    ----------
    estimator_ : estimator
        The weak learner that is cloned in every round.
    estimators_ : list of estimators
        The fitted weak learners, at least one.
    estimator_weights_ : ndarray of shape (n_estimators,)
        The vote of each round, zero after an early stop.
    estimator_errors_ : ndarray of shape (n_estimators,)
        The weighted error of each round, one after an early stop.
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    n_classes_ : int
        The number of classes.
    feature_importances_ : ndarray of shape (n_features,)
        Weighted mean over the weak learners, where they have any.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where all are strings.

    See Also
    --------
    sklearn.ensemble.AdaBoostClassifier : The case ``gamma=0``.

    Notes
    -----
    For rows :math:`(x_i, y_i)` of :math:`K` classes with normalised weights
    :math:`w_i` (at first the `sample_weight`), round
    :math:`t` fits the weak learner :math:`h_t` with the weights

    .. math:: v_i \propto w_i \, (1 - p_{t-1}(y_i | x_i))^\gamma

    where :math:`p_{t-1}` is the ``predict_proba`` of the weak learner before
    and :math:`p_0 = 1 / K`. A learner that minimises a weighted log loss thus
    minimises :math:`\sum_i w_i (1 - p_i)^\gamma (-\log p_i)`, the focal loss
    with the modulating factor held at its last value. The rest is SAMME [2]_:

    .. math::

        e_t = \sum_i w_i 1[h_t(x_i) \ne y_i], \quad
        a_t = \eta \left(\log \frac{1 - e_t}{e_t} + \log (K - 1)\right), \quad
        w_i \leftarrow w_i \exp(a_t 1[h_t(x_i) \ne y_i]),

    normalised again. Boosting stops at :math:`e_t = 0` (the learner stays and
    votes with weight 1) and at :math:`e_t \ge 1 - 1/K` (the learner is
    dropped; in the first round this is an error). The prediction is the class
    of the largest sum of votes; ``predict_proba`` is the softmax of the scaled
    ``decision_function``, as in the parent class, and ranks classes better than
    it is calibrated.

    *What is whose.* The paper names AdaBoost and the focal loss; no source
    gives the update. SAMME is the natural reading for several classes. Ours
    are: that the factor goes into the training weights and not into
    :math:`w_i`, so that it does not pile up over the rounds and :math:`a_t`
    stays the exact minimiser of the exponential loss along :math:`h_t`; and
    that :math:`p` is that of the weak learner before, so that the first round
    is plain SAMME.

    *Classes of unequal size.* For class-balanced initial weights pass
    ``sample_weight=compute_sample_weight("balanced", y)`` (of
    :mod:`sklearn.utils`).

    *Penalties.* As in the parent class, the weights handed to ``fit`` sum to
    one and not to the number of rows. Trees do not mind; a learner that weighs
    the data against a penalty does: ``LogisticRegression(C=c * n_samples)``
    here is ``LogisticRegression(C=c)`` alone. With its default ``C=1`` it
    hardly learns anything.

    References
    ----------
    .. [1] "Deep Imbalanced Learning for Multimodal Emotion Recognition in
       Conversations", arXiv:2312.06337 (CBERL).
    .. [2] J. Zhu, H. Zou, S. Rosset and T. Hastie, "Multi-class AdaBoost",
       Statistics and Its Interface 2 (2009), 349-360.
    .. [3] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skmerc.ensemble import FocalAdaBoostClassifier
    >>> X, y = make_classification(
    ...     n_classes=3, n_informative=5, weights=[0.7, 0.2, 0.1], random_state=0
    ... )
    >>> tree = DecisionTreeClassifier(max_depth=2)
    >>> model = FocalAdaBoostClassifier(tree, random_state=0)
    >>> model.fit(X, y).predict_proba(X).shape
    (100, 3)
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_estimators: int = 10,
        learning_rate: float = 1.0,
        gamma: float = 2.0,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(
            estimator=estimator,
            n_estimators=n_estimators,
            learning_rate=learning_rate,
            random_state=random_state,
        )
        self.gamma = gamma

    @all_or_nothing
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Boost the weak learner.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,)
            Their classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the first round; equal by default.

        Returns
        -------
        FocalAdaBoostClassifier
            The ensemble itself.
        """
        # With routing switched on, the parent would take the weights for metadata that
        # it passes on.
        with config_context(enable_metadata_routing=False):
            return super().fit(X, y, sample_weight)

    def get_metadata_routing(self) -> Any:
        """Tell which metadata it asks for, where routing is switched on.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRequest
            What ``set_fit_request`` and ``set_score_request`` have said.
        """
        return BaseEstimator.get_metadata_routing(self)

    def _validate_estimator(self) -> None:
        super()._validate_estimator()
        if self.gamma > 0 and not hasattr(self.estimator_, "predict_proba"):
            raise ValueError(
                f"gamma={self.gamma} weighs rows by the probabilities of the weak "
                f"learner, but {type(self.estimator_).__name__} has no predict_proba; "
                "set gamma=0 or use a classifier that has it."
            )

    def _boost(
        self,
        iboost: int,
        X: Any,
        y: np.ndarray,
        sample_weight: np.ndarray,
        random_state: np.random.RandomState,
    ) -> tuple[np.ndarray | None, float | None, float | None]:
        """Fit one weak learner; called by the parent's ``fit`` in every round.

        Returns
        -------
        sample_weight : ndarray of shape (n_samples,) or None
            The weights of the next round, None to stop.
        estimator_weight : float or None
            The vote of this learner.
        estimator_error : float or None
            Its weighted error.
        """
        if iboost == 0:
            self.classes_ = np.unique(y)
            self.n_classes_ = len(self.classes_)
        focal_weight = self._focal_weight(X, y, sample_weight)
        estimator = self._make_estimator(random_state=random_state)
        estimator.fit(X, y, sample_weight=focal_weight)

        wrong = estimator.predict(X) != y
        error = float(np.average(wrong, weights=sample_weight))
        if error <= 0:
            return sample_weight, 1.0, 0.0
        if error >= 1.0 - 1.0 / self.n_classes_:
            self._drop_last(error)
            return None, None, None
        vote = self.learning_rate * samme_vote(error, self.n_classes_)
        if iboost < self.n_estimators - 1:
            sample_weight = raise_weights(sample_weight, vote * wrong)
        return sample_weight, vote, error

    def _focal_weight(
        self, X: Any, y: np.ndarray, sample_weight: np.ndarray
    ) -> np.ndarray:
        """Compute the weights that the next weak learner is fitted with."""
        if self.gamma == 0 or not self.estimators_:
            return sample_weight
        doubt = 1.0 - true_class_probability(self.estimators_[-1], X, y)
        # Relative to the largest one, no gamma can make every weight underflow;
        # the floor keeps classes that were all certain from vanishing.
        factor = (doubt / doubt[sample_weight > 0].max()) ** self.gamma
        focal_weight = sample_weight * np.clip(factor, np.finfo(float).eps, 1.0)
        return focal_weight / focal_weight.sum()

    def _drop_last(self, error: float) -> None:
        estimator = self.estimators_.pop()
        if not self.estimators_:
            raise ValueError(
                f"The first weak learner, {type(estimator).__name__}, has a weighted "
                f"error of {error:.3f}, no better than chance among {self.n_classes_} "
                f"classes ({1 - 1 / self.n_classes_:.3f}), so there is nothing to "
                "boost. Use a stronger estimator or a weaker penalty (the weights "
                "that it gets sum to one), or check that the features vary."
            )


def samme_vote(error: float, n_classes: int) -> float:
    """Vote of a weak learner in SAMME, zero at the error of chance."""
    return np.log((1.0 - error) / error) + np.log(n_classes - 1.0)


def raise_weights(sample_weight: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """Multiply weights by exp(exponent), rounded as the parent class does.

    A weight that differs in its last digit may turn a tie between two splits of
    a tree, and with it every later round.
    """
    with np.errstate(divide="ignore"):
        return np.exp(np.log(sample_weight) + exponent)


def true_class_probability(estimator: Any, X: Any, y: np.ndarray) -> np.ndarray:
    """Probability of each row's own class, zero for a class it does not know."""
    own = y[:, np.newaxis] == estimator.classes_
    return np.sum(estimator.predict_proba(X), axis=1, where=own).clip(0.0, 1.0)
