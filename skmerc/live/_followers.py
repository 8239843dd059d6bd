"""Three ways to answer for a conversation that goes on, from the fastest."""

from collections import Counter
from copy import deepcopy
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import torch

from skmerc._utils.divergence import refuse_infinite_answers
from skmerc._utils.fitting import copy_of
from skmerc._utils.locks import Turn
from skmerc._utils.seeding import undisturbed
from skmerc.frame._columns import KEYS, parse_table
from skmerc.frame._conversations import Conversations, refuse_infinite
from skmerc.frame._texts import clean, is_blank
from skmerc.live._turns import Parts, TurnReader, turns_read
from skmerc.recognition._base import DialogueEstimator

_COPIES: WeakKeyDictionary = WeakKeyDictionary()
_COPYING = Turn()


def follower_of(parts: Parts, reader: TurnReader, model: Any) -> Any:
    """Choose how a model follows a conversation."""
    known = [turns_read(each) for each in parts.transformers]
    # Texts in their context are read from the rows of the user, and from no others.
    plain = None not in known and not any(known[1:])
    if plain and isinstance(parts.last, DialogueEstimator):
        return NetworkFollower(parts, reader, known[0] if known else 0)
    return WholeFollower(model, reader)


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

    def follow(self, rows: list[list], state: Any) -> tuple[int, np.ndarray, Any]:
        """Answer for turns; return the first of them, the answers, and the state."""
        answer = self.model.predict_proba if self.gives_classes else self.model.predict
        return 0, np.asarray(answer(self.reader.table(rows))), None


class NetworkFollower:
    """Asks the network of an estimator: for the new turn alone, if it may.

    The state is that of the network where it looks at the past alone, and otherwise
    the features and speakers so far.

    Parameters
    ----------
    parts : Parts
        The model, whose transformers read rows one by one, but for texts before.
    reader : TurnReader
        Makes tables of rows.
    n_texts : int
        How many earlier texts are read with a row.
    """

    def __init__(self, parts: Parts, reader: TurnReader, n_texts: int):
        self.transformers, self.reader, self.n_texts = (
            parts.transformers, reader, n_texts,
        )  # fmt: skip
        self.estimator = copy_of(parts.last)
        self.gives_classes = hasattr(self.estimator, "predict_proba")
        names = getattr(self.estimator, "feature_names_in_", None)
        self.names = None if names is None else list(names)
        self.reach = self.estimator.net_.module_.reach

    @property
    def network(self) -> torch.nn.Module:
        """The network in double precision, as it answers for tables."""
        return in_double(self.estimator.net_.module_)

    def follow(self, rows: list[list], state: Any) -> tuple[int, np.ndarray, Any]:
        """Answer for turns; return the first of them, the answers, and the state."""
        values, keys = self._features(rows)
        self._check(values)
        people, state = state or ({}, None)
        name = keys.get(KEYS[2], "")
        people = people if name in people else people | {name: len(people)}
        if KEYS[0] not in keys:
            state = None  # without dialogues every utterance stands alone
        features = torch.from_numpy(values.astype(np.float32)).double()
        with undisturbed(), torch.no_grad():
            run = self._step if self.reach.future == 0 else self._run_again
            outputs, state = run(features, people[name], state)
        outputs = outputs.numpy()
        refuse_infinite_answers(outputs)
        return len(rows) - len(outputs), self._answers(outputs), (people, state)

    def _step(self, features, speaker, state):
        output, state = self.network.step(features, speaker, state)
        return getattr(output, self.estimator._answering), state

    def _run_again(self, features, speaker, state):
        """Answer again for the turns that the new one reaches."""
        person = torch.tensor([speaker])
        if state is not None:
            features = torch.cat([state[0], features])
            person = torch.cat([state[1], person])
        past, future = self.reach
        if past is not None and future is not None:
            features = features[max(0, len(features) - past - future - 1) :]
            person = person[max(0, len(person) - past - future - 1) :]
        output = self.network(features, torch.zeros_like(person), person)
        answers = getattr(output, self.estimator._answering)
        if future is not None:
            answers = answers[max(0, len(answers) - future - 1) :]
        return answers, (features, person)

    def _features(self, rows: list[list]) -> tuple[np.ndarray, dict]:
        """Features of the last row, and its keys as they reach the estimator."""
        if not self.transformers:
            cells = dict(zip(self.reader.columns, rows[-1], strict=True))
            keys = {key: cells.pop(name) for key, name in self.reader.keys.items()}
            return _floats(cells), keys
        table = self.reader.table(rows[self._first_read(rows) :])
        for transformer in self.transformers:
            table = transformer.transform(table)
            table = table.iloc[-1:] if hasattr(table, "iloc") else table[-1:]
        parsed = parse_table(table)
        last = parsed.data
        keys = {key: last[name].iloc[0] for key, name in parsed.key_names.items()}
        if isinstance(last, pd.DataFrame):
            cells = parsed.features.iloc[0].to_dict()
            return _floats(cells), keys
        return np.asarray(last, dtype=np.float64), keys

    def _first_read(self, rows: list[list]) -> int:
        """Number of the first row that is read with the last one."""
        first, missing = len(rows) - 1, self.n_texts
        places = [self.reader.place[column] for column in self.reader.texts]
        while missing and first:
            first -= 1
            missing -= all(_is_text(rows[first][place]) for place in places)
        return first

    def _check(self, values: np.ndarray) -> None:
        estimator = self.estimator
        width = estimator.n_features_in_
        if values.shape != (1, width):
            raise ValueError(
                f"A turn has {values.shape[1]} features, and "
                f"{type(estimator).__name__} was fitted on {width}."
            )
        zeros = np.zeros(1, np.int64)
        blocks = {
            str(number): columns.numpy()
            for number, columns in enumerate(estimator.net_.module_.reader.columns)
        }
        refuse_infinite(values, self.names, blocks)
        estimator._check_cells(
            Conversations(
                values, blocks, zeros, zeros, zeros, zeros, zeros.astype(np.int8), True
            )
        )

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        if self.gives_classes:
            return self.estimator._probabilities(outputs)
        return self.estimator._task.predict(outputs)


def in_double(module: torch.nn.Module) -> torch.nn.Module:
    """Copy a network to double precision, once for all who ask."""
    with _COPYING:
        if module not in _COPIES:
            copy = deepcopy(module).cpu().double().eval()
            _COPIES[module] = copy.requires_grad_(False)
        return _COPIES[module]


def _floats(cells: dict) -> np.ndarray:
    try:
        return np.array([[*cells.values()]], dtype=np.float64)
    except (TypeError, ValueError):
        for column, value in cells.items():
            try:
                np.float64(np.nan if value is None else value)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"features hold {value!r} in column {column!r}, and features are "
                    "numbers."
                ) from error
        raise


def _is_text(value: Any) -> bool:
    text = clean(value, Counter())
    return isinstance(text, str) and not is_blank(text)
