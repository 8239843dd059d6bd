"""Callbacks of users: copies that a fit may change, and what cannot work at all."""

import pickle
from collections.abc import Collection, Iterable
from copy import copy
from typing import Any

import torch
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer
from skorch.callbacks import (
    BatchScoring,
    Callback,
    EpochScoring,
    InputShapeSetter,
    WandbLogger,
)

from skmerc._training._history import summaries_of
from skmerc._training._stored import NetworkHolder
from skmerc._utils.compat import CallbackSupportMixin, validate_parameter_constraints
from skmerc._utils.device import resolve_device
from skmerc._utils.fitting import copy_of


def copy_callbacks(callbacks: list) -> list:
    """Copy callbacks, alone or named, and let the copies share what these hold.

    What a callback holds may be a file, a thread or a connection, of which there is no
    second one. Callbacks that hold each other do so as copies, too.
    """
    copies = {}

    def copied(callback: Any) -> Any:
        if hasattr(callback, "__sklearn_clone__"):
            return callback.__sklearn_clone__()
        if isinstance(callback, type) or not hasattr(callback, "set_params"):
            return callback
        if id(callback) not in copies:
            twin = copies[id(callback)] = copy(callback)
            for name, value in list(vars(twin).items()):
                if isinstance(value, Callback):
                    setattr(twin, name, copied(value).initialize())
        return copies[id(callback)]

    return [
        (item[0], copied(item[1])) if isinstance(item, tuple) else copied(item)
        for item in callbacks
    ]


class CallbackHolder(CallbackSupportMixin, NetworkHolder):
    """Mixin of estimators with networks that take callbacks.

    Those of skorch come in the parameter ``callbacks``, or under that name in
    ``net_params``; those of scikit-learn by ``set_callbacks``.
    """

    callbacks: Any
    net_params: Any

    def __sklearn_clone__(self) -> Any:
        bare, inside = copy_of(self), self.net_params
        bare.callbacks = None
        if _has_callbacks(inside):
            bare.net_params = {k: v for k, v in inside.items() if k != "callbacks"}
        twin = BaseEstimator.__sklearn_clone__(bare)
        is_list = isinstance(self.callbacks, list)
        twin.callbacks = copy_callbacks(self.callbacks) if is_list else self.callbacks
        if _has_callbacks(inside):
            twin.net_params |= {"callbacks": copy_callbacks(inside["callbacks"])}
        return twin

    def __getstate__(self) -> Any:
        self._refuse_handles()
        return super().__getstate__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        self._refuse_handles()
        return super().__reduce_ex__(protocol)

    def _refuse_handles(self) -> None:
        """Refuse to be pickled with callbacks that cannot be."""
        inside = self.net_params
        given = self.callbacks if isinstance(self.callbacks, list) else []
        for callback in given + (inside["callbacks"] if _has_callbacks(inside) else []):
            _refuse_to_pickle(callback)

    def _callbacks(self, epochs: int | None = None) -> list:
        """Those of the user, for a fit of a number of epochs, or to the end."""
        inside = (self.net_params or {}).get("callbacks")
        return copy_callbacks((self.callbacks or []) + (inside or []))

    def _so_far(self, net: Any) -> dict | None:
        """Attributes that make the estimator answer while its net is trained."""
        history = summaries_of(net.history)
        return {"net_": net, "history_": history, "n_iter_": len(history)}

    def _net_settings(self) -> dict:
        """What `net_params` gives to the net, but for callbacks."""
        return {k: v for k, v in (self.net_params or {}).items() if k != "callbacks"}


def _has_callbacks(net_params: Any) -> bool:
    return isinstance(net_params, dict) and isinstance(
        net_params.get("callbacks"), list
    )


def _refuse_to_pickle(callback: Any) -> None:
    error = _handle_in(callback)
    if error:
        name = type(alone(callback)).__name__
        raise TypeError(
            f"The callback {name} holds what cannot be pickled ({error}), so that the "
            "model can neither be saved nor sent to another process. Take the callback "
            "out first: model.set_params(callbacks=None)."
        ) from error


def _handle_in(thing: Any) -> Exception | None:
    """Return what pickle says of a file, a lock or the like in a thing; else None."""
    try:
        pickle.dumps(thing)
    except (pickle.PicklingError, AttributeError):
        return None  # a function without a name, which joblib sends to its workers
    except Exception as error:
        return error
    return None


def without_handles(callbacks: list | None) -> list | None:
    """Put the kinds of handles in their places: a fit goes on with another handle."""
    return callbacks and [
        _without_handles(item) if _handle_in(item) else item for item in callbacks
    ]


def _without_handles(item: Any) -> tuple:
    held = vars(alone(item)).items()
    known = {name: str(type(v)) if _handle_in(v) else v for name, v in held}
    return sorted(names_of([item])), type(alone(item)), known


def check_net_settings(estimator: Any) -> None:
    """Check callbacks, and `net_params` as the parameters of the same names."""
    given, constraints = estimator.net_params or {}, estimator._parameter_constraints
    own = {name: str(name).rpartition("__")[2] for name in given}
    validate_parameter_constraints(
        {name: constraints.get(own[name], "no_validation") for name in given},
        given,
        caller_name=f"net_params of {type(estimator).__name__}",
    )
    resolve_device(given.get("device", "cpu"))
    for callbacks in (estimator.callbacks, given.get("callbacks")):
        _check_kinds(callbacks or [])


def _check_kinds(callbacks: list) -> None:
    for given in callbacks:
        is_pair = isinstance(given, tuple) and len(given) == 2
        name, callback = given if is_pair else ("", given)
        is_callback = callback is None or hasattr(callback, "set_params")
        if not (is_callback and isinstance(name, str)):
            raise TypeError(
                f"callbacks holds {given!r}; give callbacks of skorch, alone or as "
                "(name, callback)."
            )


def runs_code_of_others(estimator: Any) -> bool:
    """Whether something is called in training that may draw as it likes."""
    optimizer = getattr(estimator, "optimizer", torch.optim.AdamW)
    known = getattr(optimizer, "__module__", "").startswith("torch.optim.")
    foreign = isinstance(getattr(estimator, "conv", None), type)
    called = estimator.callbacks or getattr(estimator, "_skl_callbacks", None)
    return not known or foreign or bool(called or estimator.net_params)


def alone(item: Any) -> Any:
    """Return the callback of a list's item, which may be named."""
    return item[1] if isinstance(item, tuple) else item


def names_of(callbacks: Iterable) -> set[str]:
    """Return the names that a user has given to callbacks."""
    return {item[0] for item in callbacks if isinstance(item, tuple)}


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
    if isinstance(callback, BatchScoring) and not callback.on_train:
        raise ValueError(
            "The callback BatchScoring scores batches of validation rows, which there "
            "are none of: validation dialogues are scored once an epoch. Use "
            "EpochScoring, or on_train=True."
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
