"""Callbacks of users: copies that a fit may change, and pickles."""

import pickle
from collections.abc import Iterable
from copy import copy
from typing import Any, Self

import torch
from sklearn.base import BaseEstimator

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
    # Whoever has callbacks of skorch has imported it already.
    from skorch.callbacks import Callback

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

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the estimator, and with `deep` those of what it holds.

        Parameters
        ----------
        deep : bool, default=True
            Whether to tell the parameters of a head and of named callbacks, too.

        Returns
        -------
        params : dict
            Names and values.
        """
        params = super().get_params(deep)
        for name, callback in self._named_callbacks() if deep else ():
            params[f"callbacks__{name}"] = callback
            if hasattr(callback, "get_params") and not isinstance(callback, type):
                own = callback.get_params().items()
                params |= {f"callbacks__{name}__{key}": value for key, value in own}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the estimator, of its head and of named callbacks.

        Parameters
        ----------
        **params : dict
            Names and values; ``callbacks__stop__patience`` is `patience` of the
            callback that stands in `callbacks` as ``("stop", callback)``.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there is no such parameter, or no callback of that name.
        """
        inside = {name for name in params if name.startswith("callbacks__")}
        own = {name: v for name, v in params.items() if name not in inside}
        super().set_params(**own)
        for name in sorted(inside):
            self._set_of_callback(name.removeprefix("callbacks__"), params[name])
        return self

    def _set_of_callback(self, name: str, value: Any) -> None:
        which, _, parameter = name.partition("__")
        named = dict(self._named_callbacks())
        if which not in named:
            raise ValueError(
                f"There is no callback {which!r} in callbacks of "
                f"{type(self).__name__}; those with names are {list(named)}."
            )
        if parameter:
            named[which].set_params(**{parameter: value})
            return
        self.callbacks = [
            (which, value) if which in names_of([item]) else item
            for item in self.callbacks
        ]

    def _named_callbacks(self) -> list[tuple[str, Any]]:
        given = self.callbacks if isinstance(self.callbacks, list) else []
        return [item for item in given if isinstance(item, tuple) and len(item) == 2]

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


_OF_ESTIMATOR = frozenset(
    "module criterion measure validation patience window ema_decay tasks seed "
    "standardized name".split()
)
"""What estimators tell ``make_net``, and nobody else."""
_OF_DIALOGUES = frozenset(
    "train_split dataset iterator_train iterator_valid predict_nonlinearity".split()
)
"""What skorch asks for where a net reads rows, which dialogues have no use for."""


def check_net_settings(estimator: Any) -> None:
    """Check callbacks, and `net_params` as the parameters of the same names."""
    given, constraints = estimator.net_params or {}, estimator._parameter_constraints
    for name in _OF_ESTIMATOR.intersection(given):
        raise ValueError(
            f"net_params sets {name!r}, which {type(estimator).__name__} makes itself; "
            "set the estimator's own parameters, or 'module__…' and 'criterion__…' for "
            "those of its network and its loss."
        )
    for name, value in given.items():
        # Answers are computed in portions of their own, so that a setting of the
        # iterator that skorch takes for them would change nothing.
        unread = str(name).startswith("iterator_valid__")
        if unread or (name in _OF_DIALOGUES and value is not None):
            raise ValueError(
                f"net_params sets {name!r}, and {type(estimator).__name__} reads whole "
                "dialogues in a way of its own. Leave it out; dialogues are held out "
                "by validation_fraction or skmerc.frame.mark_validation, and batches "
                "have batch_size dialogues."
            )
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
