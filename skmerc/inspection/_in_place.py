"""An answer as a function of the features of one utterance."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmerc._utils.types import Table
from skmerc._utils.warnings import in_silence
from skmerc.frame._columns import parse_table
from skmerc.frame._numbers import holds_numbers
from skmerc.inspection._scene import Scene, scene_of
from skmerc.recognition._parts import parts_of

_ROWS = 10_000
"""Rows that a model is asked about at once."""


def answer_function(
    model: Any, X: Table, row: Any
) -> Callable[[ArrayLike], np.ndarray]:
    """Make a function of the features of one utterance, with its dialogue around it.

    It is what SHAP, LIME and their like ask: they know nothing of dialogues, and give
    rows of features alone.

    Parameters
    ----------
    model : object
        A fitted model that takes X, with ``predict_proba`` or ``predict``.
    X : DataFrame of shape (n_utterances, n_columns)
        A table with keys. Of the dialogue of `row` every turn is read, and nothing of
        others.
    row : object
        Index label of the utterance, as in ``X.loc[row]``.

    Returns
    -------
    function : callable
        Takes features of shape (n_variants, n_features), in the order of
        ``skmerc.frame.drop_keys(X)``, and gives what the model answers where they
        stand in the place of the utterance: probabilities of shape (n_variants,
        n_classes), or scores of shape (n_variants,). Keys and the other turns stay.

    Raises
    ------
    TypeError
        If X is no DataFrame, or a feature is no number.
    ValueError
        If no row or several have that label.

    See Also
    --------
    explain : Tell which turns, speakers, modalities and words moved an answer.

    Notes
    -----
    Each variant is asked about in a copy of the whole dialogue, so that the work grows
    with its length.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.frame import drop_keys
    >>> from skmerc.inspection import answer_function
    >>> X, y = make_conversations(n_dialogues=12, random_state=0)
    >>> model = CBERLClassifier(hidden_size=8, max_epochs=2, random_state=0).fit(X, y)
    >>> ask, features = answer_function(model, X, 3), drop_keys(X)
    >>> bool(np.allclose(ask(features.loc[[3]]), model.predict_proba(X)[[3]]))
    True
    """
    features = parse_table(X).features
    scene = scene_of(parts_of(model), X, row)
    words = [name for name in features.columns if not holds_numbers(features[name])]
    if words:
        raise TypeError(
            f"The column {words[0]!r} holds no numbers. Ask the steps behind the one "
            "that reads it, model[1:], about the table that this makes, "
            "model[:1].transform(X)."
        )
    answers = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    at_once = max(1, _ROWS // len(scene.table))
    as_it_is = scene.table[features.columns].iloc[[scene.at]].to_numpy(np.float64)

    def ask(values: ArrayLike) -> np.ndarray:
        given = np.asarray(values)
        if given.ndim != 2 or given.shape[1] != features.shape[1]:
            raise ValueError(
                f"values has shape {given.shape}; give (variants, "
                f"{features.shape[1]}), a row for each variant of the utterance."
            )
        # Without variants the model is asked about the dialogue as it is, which tells
        # the shape of no answers.
        asked = given if len(given) else as_it_is
        parts = [asked[k : k + at_once] for k in range(0, len(asked), at_once)]
        with in_silence():  # of values that were never seen
            found = [
                np.asarray(answers(_variants(scene, features.columns, part)))
                for part in parts
            ]
        found = [f[scene.at :: len(scene.table)] for f in found]
        return np.concatenate(found)[: len(given)]

    return ask


def _variants(scene: Scene, features: pd.Index, values: np.ndarray) -> pd.DataFrame:
    """Put copies of the dialogue one after another, one for each row of values."""
    n_turns, n_copies = len(scene.table), len(values)
    rows = np.tile(np.arange(n_turns), n_copies)
    copies = scene.table.iloc[rows].reset_index(drop=True)
    if scene.id_column is not None:
        names = [str(number) for number in range(n_copies)]
        copies[scene.id_column] = np.repeat(names, n_turns)
    numbers = copies[features].to_numpy(np.result_type(np.float32, values.dtype))
    numbers = numbers.copy()
    numbers[scene.at :: n_turns] = values
    others = copies.drop(columns=features)
    return pd.concat([others, pd.DataFrame(numbers, columns=features)], axis=1)
