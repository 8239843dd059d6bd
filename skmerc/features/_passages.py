"""Utterances among their neighbours, which a sentence model reads with them."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skmerc.frame import read_keys
from skmerc.frame._columns import as_pandas, key_columns
from skmerc.frame._conversations import sortable
from skmerc.frame._warnings import warn_where_equal


@dataclass(frozen=True)
class Passage:
    """An utterance and what is read with it.

    Attributes
    ----------
    before, after : tuple of str
        The utterances before and behind it, in their order, with names in front.
    name : str
        What stands in front of the utterance, such as ``"Ann:"``; may be empty.
    text : str
        The utterance itself.
    """

    before: tuple
    name: str
    text: str
    after: tuple

    def __len__(self) -> int:
        return sum(map(len, (*self.before, self.name, self.text, *self.after)))

    def __str__(self) -> str:
        return json.dumps([self.before, self.name, self.text, self.after])


def make_passages(
    texts: list,
    X: Any,
    *,
    past: int,
    future: int,
    speakers: bool,
    name: str,
    tell: bool = True,
) -> list:
    """Give each text its neighbours in the dialogue: list of Passage, None if missing.

    Parameters
    ----------
    texts : list of str or None
        What is said in each row of X.
    X : DataFrame of shape (n_texts, n_columns)
        The keys, and perhaps more.
    past, future : int
        How many utterances before and behind each are read with it. Rows without a
        text do not count, nor do synthetic ones.
    speakers : bool
        Whether each has the name of its speaker in front, where that is known.
    name : str
        The class of the estimator, for messages.
    tell : bool, default=True
        Whether to warn of equal turns.

    Raises
    ------
    ValueError
        If X lacks a key that is needed for that.
    """
    _demand_keys(X, past or future, speakers, name)
    keys = read_keys(X)
    dialogue, turn = pd.factorize(keys["dialogue__id"])[0], keys["dialogue__turn"]
    turn = sortable(turn) if past or future else np.arange(len(texts))
    heard = np.array([text is not None for text in texts], bool)
    neighbour = heard & (keys["dialogue__role"] != "synthetic").to_numpy()
    if tell and (past or future):
        warn_where_equal(dialogue[neighbour], turn[neighbour])
    names = [f"{who}:" if speakers and who else "" for who in keys["dialogue__speaker"]]
    lines = [f"{n} {t}".lstrip() if t else t for n, t in zip(names, texts, strict=True)]
    order = np.lexsort((turn, dialogue))
    starts = np.flatnonzero(np.diff(dialogue[order], prepend=-1))
    passages: list = [None] * len(texts)
    for rows in np.split(order, starts[1:]):
        said = [lines[row] for row in rows if neighbour[row]]
        n_before = np.cumsum(neighbour[rows]) - neighbour[rows]
        for row, at in zip(rows, n_before, strict=True):
            if heard[row]:
                behind = at + neighbour[row]
                passages[row] = Passage(
                    before=tuple(said[max(0, at - past) : at]),
                    name=names[row],
                    text=texts[row],
                    after=tuple(said[behind : behind + future]),
                )
    return passages


def _demand_keys(X: Any, context: int, speakers: bool, name: str) -> None:
    found = key_columns(as_pandas(X)) if hasattr(X, "columns") else {}
    needed = ["dialogue__id", "dialogue__turn"] if context else []
    needed += ["dialogue__speaker"] if speakers else []
    absent = [key for key in needed if key not in found]
    if absent:
        raise ValueError(
            f"{name} is asked for context_past, context_future or speakers, and X has "
            f"no {', '.join(absent)} beside the texts. Give it the keys, for example "
            f"with ColumnTransformer([('text', {name}(...), ['utterance', *KEYS])])."
        )
