"""Context encoders over the utterances of a dialogue."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from skmerc.graph._edges import places_in


class DialogueLSTM(nn.Module):
    """Bidirectional LSTM over dialogues that stand one after another.

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
    """

    def __init__(
        self, in_size: int, hidden_size: int, layers: int = 1, dropout: float = 0.0
    ):
        super().__init__()
        self.lstm = nn.LSTM(
            in_size,
            hidden_size,
            num_layers=layers,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )

    def __setstate__(self, state):
        super().__setstate__(state)
        # Copies and pickles scatter its weights, which a GPU would gather at each call.
        self.lstm.flatten_parameters()

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Encode utterances: (n, in_size) to (n, 2 * hidden_size)."""
        order, batch_sizes = packing_order(lengths)
        packed, _ = self.lstm(PackedSequence(x[order], batch_sizes.cpu()))
        return torch.empty_like(packed.data).index_copy(0, order, packed.data)


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
    turn = places_in(lengths)
    order = (turn * len(lengths) + rank.repeat_interleave(lengths)).argsort()
    return order, turn.bincount()
