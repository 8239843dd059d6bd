"""Splits that leave out all dialogues of one kind, such as a scenario."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import LeaveOneGroupOut

from skmerc._utils.registry import storable
from skmerc._utils.types import Table
from skmerc.frame._columns import parse_table, source_ids
from skmerc.frame._per_row import read_groups

__all__ = ["LeaveDialogueGroupOut"]

_PATTERNS = {
    "session": r"(Ses\d+)[FM]_(?:impro|script)\d",
    "scenario": r"Ses\d+[FM]_((?:impro|script)\d+)",
}


@storable
class LeaveDialogueGroupOut(LeaveOneGroupOut):
    r"""Leave out, in turn, all dialogues whose ids agree in one part.

    IEMOCAP's five sessions have two speakers each, and all of them act the same eight
    improvised scenarios and three plays: a model that has read a play in one session
    knows its words, and with them its emotions, in the others. So both kinds of splits
    tell more than folds of dialogues, which mix sessions and scenarios.

    Parameters
    ----------
    by : str, default="session"
        What to leave out: ``"session"`` or ``"scenario"`` of IEMOCAP, whose dialogues
        are called ``"Ses01F_impro03"`` or ``"Ses03M_script02_1"`` (all parts of a play
        are one scenario, whoever acts it). For other corpora a regular expression that
        is searched for in each id; its group, or where it has several what they found
        side by side, names the kind of dialogue: ``r"^(\w+?)_"``.

    See Also
    --------
    DialogueKFold : Folds of dialogues, whatever they are.
    sklearn.model_selection.LeaveOneGroupOut : The same with ``groups=``.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.frame import make_frame
    >>> from skmerc.model_selection import LeaveDialogueGroupOut
    >>> names = ["Ses01F_impro01", "Ses02M_impro01", "Ses01F_script02_1"]
    >>> X = make_frame({"text": np.eye(3)}, dialogue=names)
    >>> for train, test in LeaveDialogueGroupOut(by="scenario").split(X):
    ...     print(train, test)
    [2] [0 1]
    [0 1] [2]
    >>> LeaveDialogueGroupOut(by="session").groups(X).tolist()
    ['Ses01', 'Ses02', 'Ses01']
    """

    def __init__(self, by: str = "session") -> None:
        self.by = by

    def groups(self, X: Table) -> np.ndarray:
        """Name the group of each row.

        Parameters
        ----------
        X : DataFrame of shape (n_utterances, n_columns)
            A table of utterances with dialogue ids.

        Returns
        -------
        ndarray of str of shape (n_utterances,)
            What `by` found in the id of the dialogue; of a synthetic dialogue, in that
            of the one that it was made from.

        Raises
        ------
        ValueError
            If an id does not match, or `by` is no regular expression with a group.
        """
        pattern = _compile(self.by)
        ids = source_ids(parse_table(X).keys["dialogue__id"])
        found = {name: pattern.search(name) for name in ids.unique()}
        other = [name for name, match in found.items() if match is None]
        if other:
            raise ValueError(
                f"by={self.by!r} finds nothing in {len(other)} of {len(found)} "
                f"dialogue ids, such as {other[0]!r}. IEMOCAP's look like "
                "'Ses01F_impro03'; for others give a regular expression with a group, "
                "such as r'^(\\w+?)_'."
            )
        names = {
            name: "_".join(filter(None, match.groups()))
            for name, match in found.items()
            if match
        }
        return ids.map(names).to_numpy(dtype=str)

    def split(
        self,
        X: Table,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the rows of the training and test part of each split.

        Parameters
        ----------
        X : DataFrame of shape (n_utterances, n_columns)
            A table of utterances with dialogue ids.
        y : array-like of shape (n_utterances,), default=None
            Ignored.
        groups : array-like of shape (n_utterances,), default=None
            Group of each row, in place of what the ids say.

        Yields
        ------
        train : ndarray of int
            Rows of the training part.
        test : ndarray of int
            Rows of the test part, all those of one group; groups are in sorted order.

        Raises
        ------
        ValueError
            If an id does not match, all dialogues are of one group, or `groups` has
            gaps.
        """
        groups = self._given(X, groups)
        n_groups = len(np.unique(groups))
        if n_groups == 0:
            raise ValueError("X holds no row; a split needs two groups of dialogues.")
        if n_groups < 2:
            raise ValueError(
                f"All dialogues of X are of the group {str(groups[0])!r} "
                f"(by={self.by!r}); a split needs at least 2."
            )
        yield from super().split(X, y, groups)

    def get_n_splits(
        self,
        X: Table | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> int:
        """Count the groups.

        Parameters
        ----------
        X : DataFrame of shape (n_utterances, n_columns)
            A table of utterances with dialogue ids.
        y : array-like of shape (n_utterances,), default=None
            Ignored.
        groups : array-like of shape (n_utterances,), default=None
            Group of each row, in place of what the ids say.

        Returns
        -------
        int
            The number of splits.

        Raises
        ------
        ValueError
            If neither `X` nor `groups` is given, or an id does not match.
        """
        if X is None and groups is None:
            raise ValueError("Give X, whose dialogue ids tell the groups.")
        return len(np.unique(self._given(X, groups)))

    def _given(self, X: Any, groups: Any) -> np.ndarray:
        return self.groups(X) if groups is None else read_groups(groups)


def _compile(by: Any) -> re.Pattern[str]:
    """Compile what is left out by; refuse what has no group."""
    try:
        pattern = re.compile(_PATTERNS.get(by, by))
    except (re.error, TypeError) as error:
        raise ValueError(f"by={by!r} is no regular expression: {error}.") from error
    if not pattern.groups:
        raise ValueError(
            f"by={by!r} is neither 'session' nor 'scenario', and as a regular "
            "expression it has no group; put the part that names the kind of dialogue "
            "into brackets."
        )
    return pattern
