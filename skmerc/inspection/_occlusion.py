"""What an answer loses when a part of the dialogue is absent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skmerc._utils.warnings import in_silence
from skmerc.inspection._scene import Scene

_ROWS = 10_000
"""Rows that a model is asked about at once."""


@dataclass(frozen=True)
class Change:
    """Some cells of a dialogue made missing, or another text.

    Attributes
    ----------
    rows : array-like of int
        Positions of the turns.
    columns : list of str
        The columns.
    text : str or None
        What stands there instead.
    """

    rows: Any
    columns: list[str]
    text: str | None = None


def occlude(scene: Scene, intact: float, outcomes: Callable[[Any], np.ndarray]) -> dict:
    """Tell the effect of each turn, speaker, modality and word.

    Parameters
    ----------
    scene : Scene
        The dialogue.
    intact : float
        The outcome of the utterance with all of it.
    outcomes : callable
        Tells the outcome of each row of a table.
    """
    every = np.arange(len(scene.table))
    features = [c for columns in scene.modalities.values() for c in columns]
    words = [
        (column, *each) for column in scene.texts for each in _words(scene, column)
    ]
    changes = [Change([turn], features) for turn in every]
    changes += [Change(w, features) for w in scene.positions_by_speaker.values()]
    changes += [Change(every, columns) for columns in scene.modalities.values()]
    changes += [Change([scene.at], columns) for columns in scene.modalities.values()]
    changes += [Change([scene.at], [column], rest) for column, _, rest in words]
    found = intact - _outcomes_without(scene, changes, outcomes)
    n_speakers, n_modalities = len(scene.positions_by_speaker), len(scene.modalities)
    sizes = [len(every), n_speakers, n_modalities, n_modalities]
    turns, speakers, everywhere, own, of_words = np.split(found, np.cumsum(sizes))
    table = None
    if scene.texts:
        named = [(column, word) for column, word, _ in words]
        table = pd.DataFrame(named, columns=["column", "word"]).assign(effect=of_words)
    return {
        "turns": turns,
        "speakers": speakers,
        "modalities": everywhere,
        "own": own,
        "words": table,
    }


def _words(scene: Scene, column: str) -> Iterator[tuple[str, str]]:
    """Yield each word of the utterance, and the text without it."""
    text = scene.table[column].iloc[scene.at]
    words = text.split() if isinstance(text, str) else []
    for number, word in enumerate(words):
        yield word, " ".join(words[:number] + words[number + 1 :])


def _outcomes_without(
    scene: Scene, changes: list[Change], outcomes: Callable[[Any], np.ndarray]
) -> np.ndarray:
    n_turns = len(scene.table)
    at_once = max(1, _ROWS // n_turns)
    left = []
    with in_silence():  # of modalities that are missing because we took them away
        for start in range(0, len(changes), at_once):
            part = changes[start : start + at_once]
            values = outcomes(_altered(scene, part))
            left.append(values.reshape(len(part), n_turns)[:, scene.at])
    return np.concatenate(left)


def _altered(scene: Scene, changes: list[Change]) -> pd.DataFrame:
    """Put altered copies of the dialogue one after another, as dialogues."""
    n_turns, table = len(scene.table), scene.table
    copies = table.iloc[np.tile(np.arange(n_turns), len(changes))].reset_index(
        drop=True
    )
    if scene.id_column is not None:
        names = [str(number) for number in range(len(changes))]
        copies[scene.id_column] = np.repeat(names, n_turns)
    numbers = copies.select_dtypes("number").columns
    numbers = numbers[numbers.isin([c for each in changes for c in each.columns])]
    values = copies[numbers].to_numpy(
        np.result_type(np.float32, *copies[numbers].dtypes)
    )
    values, place = values.copy(), {name: at for at, name in enumerate(numbers)}
    others = {
        column: copies[column].astype(object).to_numpy(copy=True)
        for change in changes
        for column in change.columns
        if column not in place
    }
    for number, change in enumerate(changes):
        rows = number * n_turns + np.asarray(change.rows)
        known = [place[column] for column in change.columns if column in place]
        gone = np.array(known, dtype=int)
        values[np.ix_(rows, gone)] = np.nan
        for column in change.columns:
            if column in others:
                others[column][rows] = change.text
    altered = pd.concat(
        [
            copies.drop(columns=[*numbers, *others]),
            pd.DataFrame(values, columns=numbers),
            pd.DataFrame(others, dtype=object, index=copies.index),
        ],
        axis=1,
    )
    return altered[copies.columns]
