"""What a careful colleague would say of a table before it is learned from."""

import textwrap
from html import escape
from numbers import Integral
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from skmerc._utils.compat import Interval, validate_params
from skmerc._utils.types import Table
from skmerc.datasets.tables._findings import find_all
from skmerc.datasets.tables._table_view import ERROR, NOTE, WARNING, view_of

_COLUMNS = ["severity", "what", "where", "count", "what to do"]
_WIDTH = 88


class TableCheck:
    """What was found in a table: printed, as a DataFrame, or shown in a notebook.

    :func:`check_table` makes it.

    Parameters
    ----------
    findings : list of tuple
        The rows of the attribute of this name, in any order.

    Attributes
    ----------
    findings : DataFrame of shape (n_findings, 5)
        A row for each: ``severity`` (``"error"``: fitting would fail or be wrong,
        ``"warning"``: it may be wrong, ``"note"``: good to know), ``what`` was found,
        ``where``, the ``count`` of rows, dialogues or columns, and ``what to do``.

    See Also
    --------
    check_table : Look at a table.
    """

    def __init__(self, findings: list[tuple]) -> None:
        rank = [ERROR, WARNING, NOTE]
        findings = sorted(findings, key=lambda finding: rank.index(finding[0]))
        self.findings = pd.DataFrame(findings, columns=_COLUMNS)

    def __repr__(self) -> str:
        rows = self.findings.itertuples(index=False, name=None)
        return "\n".join([self._head(), *(_lines_of(*row) for row in rows)])

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{escape(name)}</th>" for name in _COLUMNS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in self.findings.itertuples(index=False, name=None)
        )
        return (
            f"<p>{escape(self._head())}</p><table><thead><tr>{heads}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )

    def _head(self) -> str:
        counts = self.findings["severity"].value_counts()
        told = [
            f"{counts.get(kind, 0)} {kind}{'' if counts.get(kind, 0) == 1 else 's'}"
            for kind in (ERROR, WARNING, NOTE)
        ]
        return f"Check of a table: {', '.join(told)}"


def _lines_of(severity: str, what: str, where: str, _: Any, how: str) -> str:
    first = f"{severity:<8} {where}: {what}"
    texts = [first, f"-> {how}"] if how else [first]
    return "\n".join(
        textwrap.fill(
            text,
            _WIDTH,
            initial_indent="" if text is first else " " * 9,
            subsequent_indent=" " * 9,
            break_long_words=False,
        )
        for text in texts
    )


@validate_params(
    {
        "X": "no_validation",
        "y": "no_validation",
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def check_table(
    X: Table, y: ArrayLike | None = None, *, n_splits: int = 5, max_tokens: int = 256
) -> TableCheck:
    """Say what a careful colleague would say of a table before training.

    Nothing is changed. Works on tables of texts as :func:`to_frame` makes them and on
    tables of features.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        A table of utterances. Texts stand in the column ``"utterance"``, or another
        one that is called like a text.
    y : array-like of shape (n_utterances,) or (n_utterances, n_classes), default=None
        Their labels, None or NaN where there is none; scores; or an indicator matrix.
    n_splits : int, default=5
        Folds of the cross-validation that is planned; the default is that of
        scikit-learn. Each class should stand in as many dialogues.
    max_tokens : int, default=256
        Tokens that the sentence model reads of a text; the default is what that of
        :class:`skmerc.TextEmbedder` does.

    Returns
    -------
    check : TableCheck
        What was found. Its ``findings`` are a DataFrame with the columns
        ``severity`` (``"error"``, ``"warning"`` or ``"note"``), ``what``, ``where``,
        ``count`` and ``what to do``; ``print`` shows them, and notebooks as a table.

    Raises
    ------
    TypeError
        If X is no table.
    ValueError
        If y has another length than X.

    See Also
    --------
    to_frame : Make the table.

    Notes
    -----
    Some findings are guesses. The language is guessed by the script and by some dozens
    of common words of a few languages. The number of tokens is taken as 1.3 for each
    word, and one for each Chinese or Japanese sign. That fifty dialogues are few for a
    network is a rule of thumb: with some dozens logistic regression is hard to beat.

    Examples
    --------
    >>> from skmerc.datasets import check_table, to_frame
    >>> call = [{"text": "You are late.", "label": "anger"}, {"text": "I know."}]
    >>> X, y = to_frame([call])
    >>> check = check_table(X, y)
    >>> check.findings.loc[0, ["severity", "what"]].tolist()
    ['error', "all labels are 'anger'"]
    """
    return TableCheck(find_all(view_of(X, y), n_splits, max_tokens))
