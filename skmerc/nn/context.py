"""Context encoders over the utterances of a dialogue."""

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

    def __init__(
        self,
        in_size: int,
        hidden_size: int,
        layers: int = 1,
        dropout: float = 0.0,
        cell: str = "LSTM",
        bidirectional: bool = True,
    ):
        super().__init__()
        self.bidirectional = bidirectional
        # Each layer by itself: the dropout between the layers of one nn.LSTM draws from
        # a state of cuDNN's own, which training that goes on later could not restore.
        inner = (1 + bidirectional) * hidden_size
        widths = [in_size] + [inner] * (layers - 1)
        self.layers = nn.ModuleList(
            getattr(nn, cell)(width, hidden_size, bidirectional=bidirectional)
            for width in widths
        )
        self.dropout = Dropout(dropout)

    def __setstate__(self, state):
        super().__setstate__(state)
        # Copies and pickles scatter its weights, which a GPU would gather at each call.
        for layer in self.layers:
            layer.flatten_parameters()

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Encode utterances: (n, in_size) to (n, hidden_size), or twice that width."""
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
