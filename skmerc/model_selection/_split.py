"""Cross-validation splitters that read the dialogues from X.

scikit-learn's group splitters want ``groups=`` at every call, and inside
``CalibratedClassifierCV`` or ``StackingClassifier`` no call is there to give
them. These take the groups from the key ``dialogue__id`` of X.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    StratifiedGroupKFold,
)
from sklearn.utils import check_consistent_length
from sklearn.utils.metadata_routing import get_routing_for_object

from skmerc._utils.registry import storable
from skmerc._utils.types import RandomState, Table
from skmerc.frame._columns import ParsedTable, parse_table, source_ids
from skmerc.frame._labels import read_labels
from skmerc.frame._per_row import read_groups

__all__ = ["DialogueKFold", "DialogueShuffleSplit", "StratifiedDialogueKFold"]


@storable
class DialogueKFold(GroupKFold):
    """K folds of whole dialogues.

    The same folds as :class:`~sklearn.model_selection.GroupKFold` with
    ``groups=X["dialogue__id"].astype(str)``: ids are sorted as text, also where they
    are numbers. Rows of every role stay with their dialogue, and a synthetic dialogue
    with the one that it was made from. In a table without keys every row is a
    dialogue.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether dialogues are dealt to the folds at random; if not, the folds
        are of about equal numbers of rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffle; only with ``shuffle=True``.

    See Also
    --------
    StratifiedDialogueKFold : Folds with about the same share of each class.
    DialogueShuffleSplit : Random shares of the dialogues.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.frame import make_frame
    >>> from skmerc.model_selection import DialogueKFold
    >>> X = make_frame({"text": np.eye(5)}, dialogue=["a", "a", "b", "b", "c"])
    >>> for train, test in DialogueKFold(n_splits=3).split(X):
    ...     print(train, test)
    [0 1 4] [2 3]
    [2 3 4] [0 1]
    [0 1 2 3] [4]
    """

    def split(
        self,
        X: Table,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the rows of the training and test part of each fold.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            A table of utterances.
        y : array-like of shape (n_utterances,), default=None
            Ignored.
        groups : array-like of shape (n_utterances,), default=None
            Group of each row, in place of the dialogues of X.

        Yields
        ------
        train : ndarray of int
            Rows of the training part.
        test : ndarray of int
            Rows of the test part.

        Raises
        ------
        ValueError
            If there are fewer dialogues than folds, or `groups` has gaps.
        """
        codes = _number_groups(parse_table(X), groups)
        _check_enough(codes, self.n_splits, _describe(groups))
        yield from super().split(X, y, codes)


@storable
class StratifiedDialogueKFold(StratifiedGroupKFold):
    """K folds of whole dialogues with about the same share of each class.

    The same folds as :class:`~sklearn.model_selection.StratifiedGroupKFold`
    with ``groups=X["dialogue__id"].astype(str)``, since ids are sorted as text, except
    that rows of role ``"context"`` have no say: their `y` is not read, they go with
    their dialogue, and dialogues of nothing else are dealt to the folds in turn.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether dialogues of about the same class counts change places.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffle; only with ``shuffle=True``.

    See Also
    --------
    DialogueKFold : Folds of about the same number of rows.

    Notes
    -----
    A class that occurs in fewer dialogues than there are folds is absent from
    the test part of some; one that occurs in a single dialogue is absent from
    the training part where that dialogue is tested. As in scikit-learn, a
    warning comes only with fewer *rows* than folds. Set ``zero_division`` in
    metrics per class.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.frame import make_frame
    >>> from skmerc.model_selection import StratifiedDialogueKFold
    >>> X = make_frame({"text": np.eye(6)}, dialogue=["a", "a", "b", "c", "c", "d"])
    >>> y = ["joy", "sad", "sad", "joy", "sad", "sad"]
    >>> for _, test in StratifiedDialogueKFold(n_splits=2).split(X, y):
    ...     print(test)
    [0 1 2]
    [3 4 5]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(n_splits, shuffle=shuffle, random_state=random_state)

    def split(
        self,
        X: Table,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the rows of the training and test part of each fold.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            A table of utterances.
        y : array-like of shape (n_utterances,)
            The labels.
        groups : array-like of shape (n_utterances,), default=None
            Group of each row, in place of the dialogues of X.

        Yields
        ------
        train : ndarray of int
            Rows of the training part.
        test : ndarray of int
            Rows of the test part.

        Raises
        ------
        ValueError
            If `y` is missing, there are fewer labelled dialogues than folds,
            stratification leaves a fold without any, or `groups` has gaps.
        """
        if y is None:
            raise ValueError(
                "StratifiedDialogueKFold needs y; without labels use DialogueKFold."
            )
        check_consistent_length(X, y)
        table = parse_table(X)
        codes = _number_groups(table, groups)
        context = table.is_context
        labelled = np.flatnonzero(~context)
        found = "labelled " if len(labelled) < len(codes) else ""
        _check_enough(codes[labelled], self.n_splits, _describe(groups, found))
        y = read_labels(y, context)[labelled]
        folds = self._deal(codes, y, labelled)[codes]
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def _deal(
        self, codes: np.ndarray, y: np.ndarray, labelled: np.ndarray
    ) -> np.ndarray:
        """Give each group its fold, the ones without labelled rows last."""
        fold_of = np.full(codes.max() + 1, -1)
        stratified = super().split(np.zeros(len(y)), y, codes[labelled])
        for fold, (_, test) in enumerate(stratified):
            if len(test) == 0:
                raise ValueError(
                    f"Stratification leaves fold {fold} of {self.n_splits} without a "
                    "labelled row; use fewer folds, or DialogueKFold."
                )
            fold_of[codes[labelled][test]] = fold
        rest = np.flatnonzero(fold_of < 0)
        fold_of[rest] = np.arange(len(rest)) % self.n_splits
        return fold_of


@storable
class DialogueShuffleSplit(GroupShuffleSplit):
    """Random splits of whole dialogues.

    The same splits as :class:`~sklearn.model_selection.GroupShuffleSplit` with
    ``groups=X["dialogue__id"].astype(str)``: ids are sorted as text, also where they
    are numbers. Sizes count dialogues, not rows.

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits.
    test_size : float or int, default=None
        Share or number of dialogues in the test part; by default what
        `train_size` leaves, and 0.2 without it.
    train_size : float or int, default=None
        Share or number of dialogues in the training part; by default what
        `test_size` leaves.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    See Also
    --------
    DialogueKFold : Every dialogue is tested once.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.frame import make_frame
    >>> from skmerc.model_selection import DialogueShuffleSplit
    >>> X = make_frame({"text": np.eye(4)}, dialogue=["a", "a", "b", "b"])
    >>> splitter = DialogueShuffleSplit(n_splits=1, test_size=0.5, random_state=0)
    >>> for train, test in splitter.split(X):
    ...     print(train, test)
    [0 1] [2 3]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        test_size: float | None = None,
        train_size: float | None = None,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(
            n_splits=n_splits,
            test_size=test_size,
            train_size=train_size,
            random_state=random_state,
        )

    def split(
        self,
        X: Table,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the rows of the training and test part of each split.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            A table of utterances.
        y : array-like of shape (n_utterances,), default=None
            Ignored.
        groups : array-like of shape (n_utterances,), default=None
            Group of each row, in place of the dialogues of X.

        Yields
        ------
        train : ndarray of int
            Rows of the training part.
        test : ndarray of int
            Rows of the test part.

        Raises
        ------
        ValueError
            If there is only one dialogue, the sizes leave a part empty, or `groups`
            has gaps.
        """
        codes = _number_groups(parse_table(X), groups)
        _check_enough(codes, None, _describe(groups))
        yield from super().split(X, y, codes)


def folds_of(splitter: Any, X: Table, y: ArrayLike | None) -> list:
    """List the folds of a splitter; scikit-learn's that ask for groups get dialogues.

    Others, such as those here, may read them from X.
    """
    asks = get_routing_for_object(splitter).consumes("split", ["groups"])
    if asks and splitter.split.__module__.startswith("sklearn."):
        groups = _number_groups(parse_table(X), None)
        return list(splitter.split(X, y, groups=groups))
    return list(splitter.split(X, y))


def _number_groups(table: ParsedTable, groups: Any) -> np.ndarray:
    """Give each group a number, in sorted order so that row order has no say."""
    if groups is None:
        groups = source_ids(table.keys["dialogue__id"])
    else:
        check_consistent_length(table.data, groups)
        groups = read_groups(groups)
    return np.unique(groups, return_inverse=True)[1]


def _describe(groups: Any, kind: str = "") -> str:
    where, what = (
        ("X holds", "dialogue") if groups is None else ("groups names", "group")
    )
    return f"{where} {{}} {kind}{what}(s)"


def _check_enough(codes: np.ndarray, n_splits: int | None, description: str) -> None:
    n_groups = len(np.unique(codes))
    found = description.format(n_groups)
    if n_groups < 2:
        raise ValueError(f"{found}; a split needs at least 2.")
    if n_splits is not None and n_groups < n_splits:
        raise ValueError(
            f"{found}, too few for n_splits={n_splits} folds; set n_splits to "
            f"{n_groups} or less."
        )
