"""Context encoders over the utterances of a dialogue."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from skmerc._utils.random import Dropout
from skmerc.graph._edges import ranges


class DialogueRNN(nn.Module):
    """LSTM or GRU over dialogues that stand one after another.

    Dialogues are packed, so that padding costs nothing and changes nothing.

    Parameters
    ----------
    in_size : int
        Width of an utterance.
    hidden_size : int
        Width per direction.
    layers : int, default=1
        Number of layers.
    dropout : float, default=0.0
        Dropout between layers.
    cell : {"LSTM", "GRU"}, default="LSTM"
        What remembers.
    bidirectional : bool, default=True
        Whether an utterance hears later ones too.
    """

    layers: Any  # a list of modules tells nothing of their types

    def __init__(
        self,
        in_size: int,
        hidden_size: int,
        layers: int = 1,
        dropout: float = 0.0,
        cell: str = "LSTM",
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        # Torch takes no truth value of NumPy, such as searches over arrays give.
        self.bidirectional = bidirectional = bool(bidirectional)
        # Each layer by itself: the dropout between the layers of one nn.LSTM draws from
        # a state of cuDNN's own, which training that goes on later could not restore.
        inner = (1 + bidirectional) * hidden_size
        widths = [in_size] + [inner] * (layers - 1)
        self.layers = nn.ModuleList(
            getattr(nn, cell)(width, hidden_size, bidirectional=bidirectional)
            for width in widths
        )
        self.dropout = Dropout(dropout)

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        # Copies and pickles scatter its weights, which a GPU would gather at each call.
        for layer in self.layers:
            layer.flatten_parameters()

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Encode utterances: (n, in_size) to (n, hidden_size), or twice that width."""
        if torch.compiler.is_exporting():
            for layer in self.layers:
                x = _onnx_recurrence(layer, x)
            return x
        order, batch_sizes = packing_order(lengths)
        coded, batch_sizes = x[order], batch_sizes.cpu()
        for number, layer in enumerate(self.layers):
            coded = self.dropout(coded) if number else coded
            coded = layer(PackedSequence(coded, batch_sizes))[0].data
        return torch.empty_like(coded).index_copy(0, order, coded)

    def step(self, x: Tensor, state: tuple | None) -> tuple[Tensor, tuple]:
        """Encode the next utterance of one dialogue, where only the past is heard.

        Parameters
        ----------
        x : Tensor of shape (1, in_size)
            The utterance.
        state : tuple or None
            What the last call returned; None at the beginning of the dialogue.

        Returns
        -------
        code : Tensor of shape (1, hidden_size)
            The utterance in its context.
        state : tuple
            What the layers remember.
        """
        known = state or (None,) * len(self.layers)
        remembered = []
        for layer, before in zip(self.layers, known, strict=True):
            x, after = layer(x, before)
            remembered.append(after)
        return x, tuple(remembered)


_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""Torch's numbers of the gates in the order of ONNX.

In, out, forget and cell of an LSTM; update, reset and hidden of a GRU.
"""


def _onnx_recurrence(layer: nn.LSTM | nn.GRU, x: Tensor) -> Tensor:
    """Read a dialogue by an operator of ONNX; torch's would fix the number of turns."""
    ways = ("", "_reverse") if layer.bidirectional else ("",)
    order = torch.tensor(_GATES[layer.mode])

    def weights(*names: str) -> Tensor:
        """Reorder the gates of each way: (n_ways, n_gates * hidden_size, ...)."""
        parts = [[getattr(layer, f"{name}_l0{way}") for name in names] for way in ways]
        gates = torch.stack([torch.stack(part) for part in parts])
        gates = gates.unflatten(2, (len(order), -1)).index_select(2, order)
        return gates.flatten(1, 3)

    about: dict[str, Any] = {
        "hidden_size": layer.hidden_size,
        "direction": "bidirectional" if layer.bidirectional else "forward",
    }
    if layer.mode == "GRU":
        about["linear_before_reset"] = 1  # as torch has it
    heard = torch.onnx.ops.symbolic(
        layer.mode,
        (
            x[:, None],
            weights("weight_ih"),
            weights("weight_hh"),
            weights("bias_ih", "bias_hh"),
        ),
        about,
        dtype=x.dtype,
        shape=(x.shape[0], len(ways), 1, layer.hidden_size),
    )
    return heard.flatten(1)


def packing_order(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Order utterances turn by turn, longest dialogue first, as packing demands.

    Parameters
    ----------
    lengths : Tensor of shape (n_dialogues,)
        Number of utterances of each dialogue.

    Returns
    -------
    order : Tensor of shape (n_utterances,)
        Index of the utterance at each packed position.
    batch_sizes : Tensor of shape (longest,)
        Number of dialogues that reach each turn.
    """
    rank = torch.empty_like(lengths)
    longest_first = lengths.argsort(descending=True, stable=True)
    rank[longest_first] = torch.arange(len(lengths), device=lengths.device)
    turn = ranges(0, lengths)
    order = (turn * len(lengths) + rank.repeat_interleave(lengths)).argsort()
    return order, turn.bincount()
