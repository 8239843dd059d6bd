"""Why a model answers so for one utterance."""

from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd

from skmerc._utils.compat import Interval, StrOptions, validate_params
from skmerc._utils.types import Table
from skmerc.inspection._explanation import Explanation
from skmerc.inspection._gradients import integrate
from skmerc.inspection._occlusion import occlude
from skmerc.inspection._scene import scene_of
from skmerc.recognition._parts import parts_of


@validate_params(
    {
        "method": [StrOptions({"occlusion", "integrated_gradients"})],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def explain(
    model: Any,
    X: Table,
    row: Any,
    *,
    target: Any = None,
    method: Literal["occlusion", "integrated_gradients"] = "occlusion",
    n_steps: int = 64,
) -> Explanation:
    """Tell which turns, speakers, modalities and words moved an answer.

    Parameters
    ----------
    model : object
        A fitted model that takes X: an estimator of skmerc or a pipeline of them, and
        by occlusion any other that takes missing values and has ``predict_proba``, or
        predicts a score.
    X : DataFrame of shape (n_utterances, n_columns)
        A table with keys. Of the dialogue of `row` every turn is read, and nothing of
        others.
    row : object
        Index label of the utterance, as in ``X.loc[row]``.
    target : object, default=None
        The class whose probability is explained; by default the most probable one. Of
        a regressor the score is.
    method : {"occlusion", "integrated_gradients"}, default="occlusion"
        Whether parts are made absent one by one, or the answer is shared out among
        features along a path [1]_. See the notes.
    n_steps : int, default=64
        Points on the path of the integrated gradients.

    Returns
    -------
    Explanation
        The effects, as tables; printed, the strongest of them.

    Raises
    ------
    ValueError
        If no row or several have that label, `target` is no class, or gradients are
        asked of a model that has none.
    TypeError
        If X is no DataFrame.

    See Also
    --------
    modality_importance : What a model relies on over a whole table.
    skmerc.live.LiveConversation : Answers while a conversation goes on.

    Notes
    -----
    **Occlusion** makes a part missing, and its effect is the outcome with it minus the
    outcome without. The modalities of a turn become NaN and its texts None, while its
    place and its speaker stay: were the turn left out, windows would show other turns
    in its place, and others would seem to follow each other. Of words of the utterance
    each is taken out of the text. All altered copies of the dialogue are asked about
    as dialogues of one table, ten thousand rows at a time, so that a dialogue of 200
    turns takes six calls. What two turns both say neither loses by itself; effects do
    not add up.

    **Integrated gradients** follow the straight path from the mean of each feature in
    training to what it is. The share of a feature is its distance from the mean times
    its mean gradient; shares add up to the outcome minus that at the mean, but for the
    error of `n_steps` points. What is missing has no share. Modalities are those that
    the last step of a pipeline reads, where texts are features, so that there are no
    words.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks",
       ICML 2017.

    Examples
    --------
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.inspection import explain
    >>> X, y = make_conversations(n_dialogues=12, random_state=0)
    >>> model = CBERLClassifier(hidden_size=8, max_epochs=2, random_state=0).fit(X, y)
    >>> explanation = explain(model, X, 3)
    >>> explanation.turns.columns.tolist()
    ['turn', 'speaker', 'role', 'effect']
    >>> explanation.modalities.index.tolist()
    ['text', 'audio', 'visual']
    """
    parts = parts_of(model)
    scene = scene_of(parts, X, row)
    gives_classes = hasattr(model, "predict_proba")
    _refuse_classes_alone(parts.last, gives_classes)

    def answers(table: Any) -> np.ndarray:
        if gives_classes:
            return np.asarray(model.predict_proba(table), dtype=float)
        return np.asarray(model.predict(table), dtype=float).reshape(len(table), 1)

    intact = answers(scene.table)[scene.at]
    number = 0
    if gives_classes:
        number = _number_of(target, np.asarray(parts.last.classes_), intact)
        target = parts.last.classes_[number]
    elif target is not None:
        raise ValueError(f"target={target!r} is a class, and the model gives scores.")
    if method == "occlusion":
        found = occlude(scene, intact[number], lambda X: answers(X)[:, number])
    else:
        found = integrate(parts, scene, number, n_steps)
    speakers = scene.positions_by_speaker
    modalities = found.get("names", list(scene.modalities))
    return Explanation(
        row=row,
        target=target,
        outcome=float(intact[number]),
        baseline=found.get("baseline"),
        method=method,
        turns=scene.turns.assign(effect=found["turns"]),
        speakers=pd.DataFrame(
            {
                "turns": [len(where) for where in speakers.values()],
                "effect": found["speakers"],
            },
            index=pd.Index(speakers, name="speaker"),
        ),
        modalities=pd.DataFrame(
            {"effect": found["modalities"], "own": found["own"]},
            index=pd.Index(modalities, name="modality"),
        ),
        words=found["words"],
    )


def _refuse_classes_alone(last: Any, gives_classes: bool) -> None:
    if hasattr(last, "classes_") and not gives_classes:
        raise ValueError(
            f"{type(last).__name__} gives classes without probabilities, and an effect "
            "is a change of a number; use a classifier with predict_proba."
        )


def _number_of(target: Any, classes: np.ndarray, intact: np.ndarray) -> int:
    if target is None:
        return int(intact.argmax())
    found = np.flatnonzero(classes == target)
    if not len(found):
        raise ValueError(
            f"target={target!r} is none of the classes {classes.tolist()}."
        )
    return int(found[0])
