"""JOYFUL's regressor, for scores such as the strength of a sentiment."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.registry import storable
from skmerc._utils.types import Table
from skmerc.frame._columns import parse_table
from skmerc.recognition._checks import scored_rows
from skmerc.recognition._docstrings import filled
from skmerc.recognition._joyful_estimator import (
    PARAMETERS,
    TRAINING_PARAMETERS,
    JoyfulEstimator,
)
from skmerc.recognition._tasks import Values


@storable
@filled(parameters=PARAMETERS, training_parameters=TRAINING_PARAMETERS)
class JoyfulRegressor(RegressorMixin, JoyfulEstimator):
    """Predict a score of each utterance by joint fusion and contrastive learning.

    The network of :class:`JoyfulClassifier`, with the mean absolute error as its main
    loss (JOYFUL [1]_, Eq. 16), for sentiment as in MOSI and MOSEI. Scores are learned
    in units of their deviation from the mean of the training utterances.

    Parameters
    ----------
    {parameters}
    {training_parameters}

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The fitted net; its module is a :class:`skmerc.nn.joyful.JoyfulNetwork`.
    history_ : list of dict
        One entry per epoch: every term of the loss, and the mean absolute error of
        the validation dialogues.
    first_phase_loss_ : list of float
        Loss of the fusion in each pass of the first of two phases; empty where all
        was trained jointly.
    n_iter_ : int
        Number of epochs run.
    n_features_in_ : int
        Number of feature columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names.

    See Also
    --------
    JoyfulClassifier : For emotions; its notes tell of the presets.

    References
    ----------
    .. [1] D. Li, Y. Wang, K. Funakoshi, M. Okumura, "Joyful: Joint modality fusion and
       graph contrastive learning for multimodal emotion recognition", EMNLP 2023.

    Examples
    --------
    >>> from skmerc import JoyfulRegressor
    >>> from skmerc.datasets import make_conversations
    >>> X, y = make_conversations(n_dialogues=12, random_state=0)
    >>> strength = X["text__0"]
    >>> model = JoyfulRegressor(fusion_size=16, max_epochs=2, random_state=0)
    >>> model.fit(X, strength).predict(X).shape == (len(X),)
    True
    """

    @all_or_nothing
    def partial_fit(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one more pass over some dialogues, from where training stands.

        Nothing is held out. Features and scores are standardised with the exact mean
        and deviation of what was learned from in all calls, so that a table can come
        part by part, as from :func:`skmerc.datasets.iter_table`. A call that fails
        changes nothing.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows.
        y : array-like of shape (n_utterances,)
            Their scores.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on the loss of each utterance.

        Returns
        -------
        self : JoyfulRegressor
            The regressor, trained for one more pass.
        """
        self._validate_params()
        return self._fit(X, y, sample_weight, epochs=1)

    @of_one_fit
    def predict(self, X: Table) -> np.ndarray:
        """Score of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows. Every row gets an answer,
            whatever its role.

        Returns
        -------
        ndarray of shape (n_utterances,)
            The scores.
        """
        logits = self._infer(self._read(X), self._answering)
        return self._task.predict(logits)

    def score(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Coefficient of determination over the utterances that are not context.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.
        y : array-like of shape (n_utterances,)
            Their scores; those of context rows are ignored.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on each utterance.

        Returns
        -------
        float
            Share of the variance that is explained.
        """
        X = parse_table(X)
        rows, y, weight = scored_rows(X, y, sample_weight, numeric=True)
        return r2_score(y, self.predict(X)[rows], sample_weight=weight)

    def _y_checks(self, y: ArrayLike) -> dict:
        return {"y_numeric": True}

    def _task_of(
        self, y: np.ndarray, labelled: np.ndarray, before: Any, classes: Any
    ) -> Values:
        return before or Values()
