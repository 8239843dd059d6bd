"""Callbacks that cannot work at all, or would do nothing without a word."""

from collections.abc import Collection
from copy import copy
from typing import Any

from sklearn.metrics import get_scorer
from skorch.callbacks import (
    BatchScoring,
    EpochScoring,
    InputShapeSetter,
    PassthroughScoring,
    WandbLogger,
)

from skmerc._training._callbacks import alone


def check_callbacks(
    callbacks: list, names: Collection[str], validated: bool, scorable: bool = True
) -> None:
    """Refuse callbacks that would fail in training, or do nothing without a word.

    `names` is what is written into the history of validation dialogues where they are
    `validated`; whether scorers can read the answers, is `scorable`.
    """
    written = set(names) if validated else set()
    reserved = {"train_loss", *names}
    others = not all(map(_is_known, map(alone, callbacks)))
    for callback in map(alone, callbacks):
        _refuse_without_use(callback)
        if isinstance(callback, BatchScoring | EpochScoring) and not scorable:
            raise ValueError(
                f"The callback {type(callback).__name__} scores answers, and the "
                "network gives none but codes. Leave it out, and look at the losses "
                "in the history."
            )
        if isinstance(callback, BatchScoring | EpochScoring):
            name = _name_of_score(callback)
            if name in reserved | written:
                _refuse_to_overwrite(callback, name)
            if not (callback.on_train or validated):
                _refuse_to_use_validation(callback, "scores validation rows")
            written |= {name, f"{name}_best"}
        watched = _watched(callback)
        if watched.startswith("valid_") and watched not in written:
            # Callbacks of other kinds may write what they like, but hardly our names.
            if watched in names or not others:
                _refuse_to_watch(callback, watched, written)


def _refuse_without_use(callback: Any) -> None:
    of_batches = isinstance(callback, BatchScoring | PassthroughScoring)
    if of_batches and not callback.on_train:
        raise ValueError(
            f"The callback {type(callback).__name__} reads batches of validation rows, "
            "which there are none of: validation dialogues are scored once an epoch. "
            "Use EpochScoring, or on_train=True."
        )
    if isinstance(callback, InputShapeSetter):
        raise ValueError(
            "The callback InputShapeSetter has nothing to set: the network takes its "
            "sizes from the table. Leave it out."
        )


def _name_of_score(callback: Any) -> str:
    """Name under which a scoring callback writes into the history."""
    kind, scoring = type(callback).__name__, callback.scoring
    try:
        if isinstance(scoring, str):
            get_scorer(scoring)
        elif not (scoring is None or callable(scoring)):
            raise ValueError("which is no single score")
        return copy(callback).initialize().name_
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"The callback {kind} cannot score by {scoring!r} ({error}). Give scoring "
            "the name of a scorer of scikit-learn, a scorer or f(net, X, y), one in "
            "each callback, and name where that has no name."
        ) from error


def _refuse_to_overwrite(callback: Any, name: str) -> None:
    raise ValueError(
        f"The callback {type(callback).__name__} writes {name!r} into the history, "
        "which something else writes too. Give it another name, as in "
        f"EpochScoring(..., name={name + '_of_mine'!r})."
    )


def _is_known(callback: Any) -> bool:
    kind = callback if isinstance(callback, type) else type(callback)
    return kind.__module__.partition(".")[0] in ("skorch", "skmerc")


def _watched(callback: Any) -> str:
    """Name in the history that a callback watches, or an empty one."""
    if isinstance(callback, WandbLogger) and callback.save_model:
        return "valid_loss_best"
    watched = getattr(callback, "monitor", None)
    return watched if isinstance(watched, str) else ""


def _refuse_to_use_validation(callback: Any, why: str) -> None:
    raise ValueError(
        f"The callback {type(callback).__name__} {why}, and no dialogues are held out "
        "for validation here. Mark some by skmerc.frame.mark_validation, set "
        "patience, give dialogues enough that some are held out (see "
        "validation_fraction), or let it use training rows alone: on_train=True of "
        "scores, 'train_loss_best' or nothing to watch."
    )


def _refuse_to_watch(callback: Any, watched: str, written: set[str]) -> None:
    scores = sorted(name for name in written if name.startswith("valid_"))
    if not scores:
        _refuse_to_use_validation(callback, f"watches {watched!r}")
    raise ValueError(
        f"The callback {type(callback).__name__} watches {watched!r}, and what is "
        f"written of validation dialogues before it is {', '.join(scores)}. Name one "
        "of these, or put the callback that writes it in front."
    )
