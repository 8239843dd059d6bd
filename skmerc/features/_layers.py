"""Layers of a language model that learn, and the states that the others compute."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from skmerc.features._reading import embed, prepare


def copy_to_learn(network: Any, n_learned: int | None) -> Any:
    """Copy a sentence model so that its last layers learn, or all of it for None.

    The parts behind the language model learn with them. All other weights are shared
    with the original, and take no memory.
    """
    if n_learned is None:
        return deepcopy(network)
    learned = nn.ModuleList([*_layers(network, n_learned)[1], *list(network)[1:]])
    moving = {id(weight) for weight in learned.parameters()}
    return deepcopy(
        network,
        {
            id(weight): nn.Parameter(weight.detach(), requires_grad=False)
            for weight in network.parameters()
            if id(weight) not in moving
        },
    )


class LowerLayers:
    """What the layers that do not learn make of each text, computed once.

    It takes as many floats as there are tokens times the width of the model.

    Parameters
    ----------
    n_learned : int
        How many layers learn above them.
    """

    def __init__(self, n_learned: int) -> None:
        self._n_learned, self._in_tuple = n_learned, False
        self._states: dict[Any, torch.Tensor] = {}

    def __contains__(self, text: Any) -> bool:
        return text in self._states

    def compute(self, network: Any, parts: list[list]) -> None:
        """Read texts, which are given in the parts that are read at a time."""
        lower, _ = _layers(network, self._n_learned)
        if not len(lower):
            return
        caught = []
        hook = lower[-1].register_forward_hook(lambda *call: caught.append(call[-1]))
        network.eval()  # without dropout, which would draw once for all passes
        try:
            with torch.no_grad():
                for texts in parts:
                    inputs = prepare(network, texts)
                    embed(network, inputs, False)
                    self._keep(texts, inputs["attention_mask"].bool(), caught.pop())
        finally:
            hook.remove()

    def _keep(self, texts: list, mask: torch.Tensor, output: Any) -> None:
        self._in_tuple = isinstance(output, tuple)
        states = (output[0] if self._in_tuple else output)[mask].float().cpu()
        for text, own in zip(texts, states.split(mask.sum(1).tolist()), strict=True):
            self._states[text] = own.clone()  # not a view of its whole batch

    @contextmanager
    def standing_in(self, network: Any, texts: list, inputs: dict) -> Iterator[None]:
        """Let what was computed stand in for the lower layers of a copy."""
        lower, _ = _layers(network, self._n_learned)
        if not len(lower):
            yield
            return
        mask = inputs["attention_mask"].bool()
        known = torch.cat([self._states[text] for text in texts]).to(mask.device)
        states = known.new_zeros(*mask.shape, known.shape[1])
        states[mask] = known
        answer = (states,) if self._in_tuple else states
        for layer in lower:
            layer.forward = lambda *args, **kwargs: answer
        try:
            yield
        finally:
            for layer in lower:
                del layer.forward


def _layers(network: Any, n_learned: int) -> tuple[Any, Any]:
    """Return the layers of the language model that do not learn, and those that do."""
    configs = (getattr(part, "config", None) for part in network.modules())
    numbers = (getattr(config, "num_hidden_layers", None) for config in configs)
    n_layers = next(filter(None, numbers), None)
    for part in network.modules():
        if isinstance(part, nn.ModuleList) and len(part) == n_layers:
            break
    else:
        raise ValueError(
            f"layers={n_learned} cannot be told apart in this model. Set layers=None, "
            "so that all of it learns."
        )
    if n_learned > n_layers:
        raise ValueError(f"layers={n_learned}, and the model has {n_layers}.")
    return part[: n_layers - n_learned], part[n_layers - n_learned :]
