"""A conversation that still goes on."""

import json
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skmerc._utils.warnings import each_once
from skmerc.live._followers import follower_of
from skmerc.live._state import (
    FORMAT,
    cells_of,
    names_of,
    pack,
    parse,
    unfit,
    warnings_of,
)
from skmerc.live._turns import TurnReader, speaker_name
from skmerc.recognition._parts import parts_of

_MOVED = 1e-6
"""What changes by less have not changed."""

_NO_CHANGE = pd.DataFrame(
    {"before": [], "now": [], "shift": []}, index=pd.Index([], name="turn", dtype=int)
)


@dataclass(frozen=True)
class LiveTurn:
    """What a model says of a turn when it is heard.

    Parameters
    ----------
    turn : int
        Number of the turn, from 0.
    speaker : str
        Who spoke; empty where unknown.
    answer : object
        The most probable class, the list of classes that are there after an indicator
        matrix, or the score of a regressor.
    probabilities : Series of shape (n_classes,) or None
        Probabilities by class; None of a regressor.
    changed : DataFrame of shape (n_changed, 3)
        Earlier turns whose answers this one has changed, by their numbers: the answer
        ``"before"`` and ``"now"``, and ``"shift"``, the largest change of a
        probability, or that of the score. Empty where the model does not look ahead.
    """

    turn: int
    speaker: str
    answer: Any
    probabilities: pd.Series | None
    changed: pd.DataFrame

    def __str__(self) -> str:
        p = self.probabilities
        sure = "" if p is None else f" ({p.max():.0%})"
        moved = f"; {len(self.changed)} earlier answers moved" * bool(len(self.changed))
        return f"{self.turn} {self.speaker}: {self.answer}{sure}{moved}"


class LiveConversation:
    """Follow a conversation turn by turn with a fitted model.

    After each turn the answers are those of ``model.predict_proba``, or ``predict`` of
    a regressor, for the whole conversation so far, up to rounding. The model is not
    changed, so that any number of conversations, in any number of threads, share it;
    one conversation is for one thread at a time.

    Parameters
    ----------
    model : object
        A fitted :class:`~skmerc.CBERLClassifier`, :class:`~skmerc.JoyfulClassifier`,
        :class:`~skmerc.JoyfulRegressor` or :class:`~skmerc.DialogueGCNClassifier`; a
        pipeline that ends in one, with embedders and a fuser before it; or any other
        fitted model that takes a table of utterances, or a search that found one.

    Attributes
    ----------
    turns : DataFrame of shape (n_turns, 3 + n_classes)
        The conversation so far: ``"turn"``, ``"speaker"``, ``"answer"``, and today's
        probability of each class.
    looks_ahead : bool
        Whether later turns can change an answer.

    Raises
    ------
    ValueError
        If the model was fitted on an array, so that nobody knows its columns, or is
        a classifier that gives no probabilities.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    See Also
    --------
    skmerc.inspection.explain : Why a model says so.

    Notes
    -----
    How much is computed for a turn depends on the model:

    * One that never looks ahead computes the new turn alone. It keeps the keys and
      values of its attention in the turns of ``context_window``, what recurrent layers
      remember, and what layers of the graph have read in the turns of ``window_past``,
      so that work and memory of the network do not grow. These are
      ``JoyfulClassifier(window_future=0)``, its regressor, and
      ``CBERLClassifier(window_future=0, bidirectional=False)``, or without its LSTM.
      Where a window is None it grows with the turns in it.
    * One that looks ahead over a bounded number of turns answers again for the turns
      that the new one reaches, from those that these depend on: JOYFUL without the
      global fusion, or with a short ``context_window``, and CBERL without its LSTM.
    * All others answer again for the whole conversation, in time that grows with it:
      those with a Bi-LSTM, a Bi-GRU or a window of None, and JOYFUL with a convolution
      of torch-geometric, of which nobody knows how far it looks.

    In a pipeline, transformers of scikit-learn and of skmerc read the new row alone,
    and an embedder with ``context_past`` the rows before it that it needs. With
    ``context_future``, a function of the user's or a transformer of another library,
    the pipeline answers for the whole table again. Samplers do nothing, as in
    ``predict``.

    Warnings of this package come once per conversation and kind.

    Examples
    --------
    >>> from skmerc import JoyfulClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.live import LiveConversation
    >>> X, y = make_conversations(n_dialogues=12, random_state=0)
    >>> model = JoyfulClassifier(
    ...     fusion_size=16, window_future=0, max_epochs=2, random_state=0
    ... ).fit(X, y)
    >>> conversation = LiveConversation(model)
    >>> text, audio = X.filter(like="text__"), X.filter(like="audio__")
    >>> turn = conversation.add(
    ...     speaker="Ann", features={"text": text.iloc[0], "audio": audio.iloc[0]}
    ... )
    >>> turn.probabilities.index.tolist() == model.classes_.tolist()
    True
    >>> turn = conversation.add(speaker="Ben", features={"text": text.iloc[1]})
    >>> turn.turn, len(conversation.turns)
    (1, 2)
    """

    def __init__(self, model: Any):
        model = _as_it_is(model)
        parts = parts_of(model)
        self._gives_sets = _gives_sets(parts.last)
        self._reader = TurnReader(parts)
        self._follower = follower_of(parts, self._reader, model)
        self.classes_ = None
        if not self._follower.gives_classes and hasattr(parts.last, "classes_"):
            raise ValueError(
                f"{type(parts.last).__name__} gives no probabilities (it has no "
                "predict_proba), and answers of turns are told and compared by them. "
                "Fit one that does: a vote with voting='soft', or the model inside "
                "DialogueCalibratedClassifier."
            )
        if self._follower.gives_classes:
            self.classes_ = np.asarray(parts.last.classes_)
        # Made once, since an index of texts takes longer than a turn needs otherwise.
        self._index = pd.Index(() if self.classes_ is None else self.classes_)
        self.reset()

    def reset(self) -> "LiveConversation":
        """Begin another conversation with the same model.

        Returns
        -------
        LiveConversation
            This one, without turns.
        """
        self._rows: list[dict] = []
        self._speakers: list[str] = []
        self._answers: list[np.ndarray] = []
        self._state: Any = None
        self._told: set = set()
        return self

    @property
    def looks_ahead(self) -> bool:
        """Whether later turns can change an answer."""
        reach = getattr(self._follower, "reach", None)
        return reach is None or reach.future != 0

    @property
    def turns(self) -> pd.DataFrame:
        """The conversation so far, with today's answers."""
        known = {
            "turn": np.arange(len(self)),
            "speaker": self._speakers,
            "answer": [self._answer(values) for values in self._answers],
        }
        table = pd.DataFrame(known)
        if self.classes_ is None:
            return table
        values = np.reshape(self._answers, (len(self), len(self.classes_)))
        return table.join(pd.DataFrame(values, columns=self.classes_))

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self, *, speaker: Any = None, text: Any = None, features: Any = None
    ) -> LiveTurn:
        """Hear the next turn.

        Parameters
        ----------
        speaker : object, default=None
            Who speaks, stored as text. By default whom a row that `features` is
            names, or nobody known.
        text : str, default=None
            What is said, for a model with one text embedder.
        features : mapping, Series, DataFrame of one row or array, default=None
            The features of the turn: a mapping from modalities to arrays, or from
            columns to values, such as a row of a table; or all columns in the order of
            the fitted table. A modality that is left out, or None, is missing.

        Returns
        -------
        LiveTurn
            The answer for the turn, and what it has changed.

        Raises
        ------
        ValueError
            If there is neither text nor features, if they do not fit the table that
            the model was fitted on, or hold infinity. The conversation stays as it
            was.
        TypeError
            If features are no array or mapping.
        """
        features, named = self._reader.part(features)
        number, speaker = len(self), speaker_name(named if speaker is None else speaker)
        row = self._reader.read(number, speaker, text, features)
        rows = [*self._rows, row]
        # A step of a pipeline numbers the rows that it is given, which may be one.
        with each_once(self._told, f"Turn {number}: "):
            first, found, state = self._follower.follow(rows, self._state)
        changed = self._changes(first, found[:-1])
        # Nothing is changed in its place, or a copy would hear the turn, too.
        self._rows, self._state = rows, state
        self._speakers = [*self._speakers, speaker]
        self._answers = [*self._answers[:first], *found]
        return LiveTurn(
            turn=number,
            speaker=speaker,
            answer=self._answer(found[-1]),
            probabilities=self._by_class(found[-1]),
            changed=changed,
        )

    def to_json(self) -> str:
        """Write the conversation as text, to go on with it in another process.

        The model is not in it. What was said is, as far as the model reads it again:
        texts and features for a model that answers for the whole, else none, or the
        last texts of an embedder that reads them in context.

        Returns
        -------
        str
            JSON, which :meth:`from_json` reads.

        Raises
        ------
        TypeError
            If a turn that is read again holds something else than text and numbers.
        """
        first = self._follower.first_needed(self._rows)
        rows = [
            cells_of(row, turn) for turn, row in enumerate(self._rows[first:], first)
        ]
        found = {
            "format": FORMAT,
            "model": self._identity(),
            "speakers": self._speakers,
            "answers": pack(np.array(self._answers, dtype=np.float64)),
            "rows": rows,
            "told": names_of(self._told),
            "state": pack(self._state),
        }
        return json.dumps(found)

    @classmethod
    def from_json(cls, model: Any, text: str) -> "LiveConversation":
        """Go on with a conversation that :meth:`to_json` has written.

        Nothing in the text is run, and what does not fit the model is refused.

        Parameters
        ----------
        model : object
            The fitted model that answered, such as one that was loaded again.
        text : str
            The conversation.

        Returns
        -------
        LiveConversation
            It answers as the one that was written, up to rounding, and does not repeat
            the warnings of that one.

        Raises
        ------
        ValueError
            If the text is damaged or something else, or the model has other columns,
            classes or weights.
        """
        made = cls(model)
        found = parse(text, made._identity())
        try:
            made._take_over(**found)
        except Exception as error:  # whatever a network says of numbers that do not fit
            raise unfit(error) from error
        return made

    def _identity(self) -> dict:
        """Tell what another model must share to go on from here."""
        classes = None if self.classes_ is None else self.classes_.astype(str).tolist()
        return {"classes": classes} | self._follower.identity()

    def _take_over(
        self,
        speakers: list,
        answers: np.ndarray,
        rows: list,
        told: list,
        state: Any,
        **others: Any,
    ) -> None:
        """Stand where another conversation stood, if that is possible."""
        n, empty = len(speakers), self._reader.empty
        wanted = (n,) if self.classes_ is None else (n, len(self.classes_))
        if answers.shape != wanted and n:
            raise ValueError(f"answers of the shape {answers.shape}, and {n} turns")
        if not all(isinstance(name, str) for name in speakers):
            raise ValueError("speakers are no texts")
        if len(rows) > n or any(row.keys() - empty.keys() for row in rows):
            raise ValueError("rows of another table")
        if n:
            self._follower.check(state)
        self._rows = [{}] * (n - len(rows)) + [empty | row for row in rows]
        if self._follower.first_needed(self._rows) < n - len(rows):
            raise ValueError("rows are missing")
        self._speakers, self._answers = speakers, list(answers)
        self._state, self._told = state, warnings_of(told)

    def _changes(self, first: int, found: np.ndarray) -> pd.DataFrame:
        """Compare new answers for earlier turns with the old ones."""
        if not len(found):
            return _NO_CHANGE.copy()
        old = np.reshape(self._answers[first:], found.shape)
        gaps = np.abs(found - old)
        shift = gaps.max(axis=1, initial=0) if gaps.ndim > 1 else gaps
        moved = np.flatnonzero(shift > _MOVED)
        columns = {
            "before": [self._answer(old[at]) for at in moved],
            "now": [self._answer(found[at]) for at in moved],
            "shift": shift[moved],
        }
        return pd.DataFrame(columns, index=pd.Index(first + moved, name="turn"))

    def _answer(self, values: np.ndarray) -> Any:
        if self.classes_ is None:
            return float(values)
        if self._gives_sets:
            return self.classes_[values > 0.5].tolist()
        return self.classes_[np.argmax(values)]

    def _by_class(self, values: np.ndarray) -> pd.Series | None:
        if self.classes_ is None:
            return None
        return pd.Series(values, index=self._index.view(), name=len(self) - 1)


def _gives_sets(model: Any) -> bool:
    """Tell whether a model answers with any number of labels."""
    while hasattr(model, "estimator_"):
        model = model.estimator_
    kind = getattr(getattr(model, "_task", None), "kind", None)
    return kind == "label_sets" or bool(getattr(model, "multilabel_", False))


def _as_it_is(model: Any) -> Any:
    """Copy a model that shares all it holds, so that another fit changes no answer."""
    model = copy(model)
    for name in ("steps", "transformer_list"):  # which are fitted where they stand
        if isinstance(getattr(model, name, None), list):
            kept = [(step, _as_it_is(part)) for step, part in getattr(model, name)]
            setattr(model, name, kept)
    return model
