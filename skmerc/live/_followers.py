"""Two ways to answer for a conversation that goes on."""

from typing import Any

import numpy as np
import torch

from skmerc._training import in_double
from skmerc._utils.divergence import refuse_infinite_answers
from skmerc._utils.seeding import undisturbed
from skmerc.frame._columns import KEYS
from skmerc.frame._conversations import blocks_of
from skmerc.live._stages import (
    Splitter,
    as_read,
    check_row,
    is_text,
    stage_of,
)
from skmerc.live._state import fingerprint
from skmerc.live._turns import Parts, TurnReader, most_turns_read
from skmerc.recognition._base import DialogueEstimator


def follower_of(parts: Parts, reader: TurnReader, model: Any) -> Any:
    """Choose how a model follows a conversation."""
    n_texts = most_turns_read(parts.transformers)
    # Texts in their context are read from the rows of the user, and from no others.
    alone = most_turns_read(parts.transformers[1:]) == 0
    if n_texts is None or not alone or not isinstance(parts.last, DialogueEstimator):
        return WholeFollower(model, reader)
    return NetworkFollower(parts, reader, n_texts)


class WholeFollower:
    """Asks a model again for the whole conversation.

    Parameters
    ----------
    model : object
        The model.
    reader : TurnReader
        Makes tables of rows.
    """

    def __init__(self, model: Any, reader: TurnReader):
        self.model, self.reader = model, reader
        self.gives_classes = hasattr(model, "predict_proba")

    def follow(self, rows: list[dict], state: Any) -> tuple[int, np.ndarray, Any]:
        """Answer for turns; return the first of them, the answers, and the state."""
        answer = self.model.predict_proba if self.gives_classes else self.model.predict
        return 0, np.asarray(answer(self.reader.table(rows))), None

    def first_needed(self, rows: list[dict]) -> int:
        """Number of the first row that is read again."""
        return 0

    def identity(self) -> dict:
        """Tell what a conversation that was put away must fit."""
        return {"columns": self.reader.columns}

    def check(self, state: Any) -> None:
        """Refuse a state that it never has."""
        if state is not None:
            raise ValueError("the model remembers nothing")


class NetworkFollower:
    """Asks the network of an estimator: for the new turn alone, if it may.

    The state is the numbers of speakers, and that of the network where it looks at the
    past alone, or else the features and speakers that are read again.

    Parameters
    ----------
    parts : Parts
        The model, whose transformers read rows one by one, but for texts before.
    reader : TurnReader
        Knows which columns hold texts.
    n_texts : int
        How many earlier texts are read with a row.
    """

    def __init__(self, parts: Parts, reader: TurnReader, n_texts: int):
        self.stages = [stage_of(each) for each in parts.transformers]
        self.columns, self.texts, self.n_texts = reader.columns, reader.texts, n_texts
        self.estimator, self.split = parts.last, Splitter()
        self.blocks = blocks_of(self.estimator)
        self.gives_classes = hasattr(self.estimator, "predict_proba")
        self.reach = self.estimator.net_.module_.reach

    def follow(self, rows: list[dict], state: Any) -> tuple[int, np.ndarray, Any]:
        """Answer for turns; return the first of them, the answers, and the state."""
        read = rows[self._first_read(rows) :]
        for stage in self.stages:
            read = [stage(read)]
        cells, keys = self.split(read[-1])
        features = as_read(check_row(self.estimator, self.blocks, cells))
        people, before = state or ({}, None)
        name = keys.get(KEYS[2], "")
        people = people if name in people else people | {name: len(people)}
        if KEYS[0] not in keys:
            before = None  # without dialogues every utterance stands alone
        with undisturbed(), torch.no_grad():
            run = self._step if self.reach.future == 0 else self._run_again
            outputs, after = run(features, people[name], before)
        answers = self._answers(outputs.numpy())
        return len(rows) - len(answers), answers, (people, after)

    def first_needed(self, rows: list[dict]) -> int:
        """Number of the first row that is read again: with the next one, if at all."""
        return self._first_read([*rows, {}])

    def identity(self) -> dict:
        """Tell what a conversation that was put away must fit."""
        weights = fingerprint(self.estimator.net_.module_)
        return {"columns": self.columns, "weights": weights}

    def check(self, state: Any) -> None:
        """Refuse a state that the network cannot go on from."""
        people, before = state
        if not all(type(number) is int for number in people.values()):
            raise ValueError("speakers have no numbers")
        nothing = torch.full((1, self.estimator.n_features_in_), torch.nan).double()
        with undisturbed(), torch.no_grad():
            run = self._step if self.reach.future == 0 else self._run_again
            run(nothing, len(people), before)

    def _first_read(self, rows: list[dict]) -> int:
        """Number of the first row that is read with the last one."""
        first, missing = len(rows) - 1, self.n_texts
        while missing and first:
            first -= 1
            missing -= all(is_text(rows[first][column]) for column in self.texts)
        return first

    @property
    def _network(self) -> Any:
        # In double precision, as it answers for tables.
        return in_double(self.estimator.net_.module_)

    def _step(
        self, features: torch.Tensor, speaker: int, state: Any
    ) -> tuple[torch.Tensor, Any]:
        output, state = self._network.step(features, speaker, state)
        return getattr(output, self.estimator._answering), state

    def _run_again(
        self, features: torch.Tensor, speaker: int, state: Any
    ) -> tuple[torch.Tensor, Any]:
        """Answer again for the turns that the new one reaches."""
        people = torch.tensor([speaker])
        if state is not None:
            features = torch.cat([state[0], features])
            people = torch.cat([state[1], people])
        past, future = self.reach
        if past is not None and future is not None:
            features = features[-(past + future + 1) :]
            people = people[-(past + future + 1) :]
        output = self._network(features, torch.zeros_like(people), people)
        answers = getattr(output, self.estimator._answering)
        reached = answers if future is None else answers[-(future + 1) :]
        return reached, (features, people)

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        refuse_infinite_answers(outputs)
        if self.gives_classes:
            return self.estimator._probabilities(outputs)
        return self.estimator._task.predict(outputs)
