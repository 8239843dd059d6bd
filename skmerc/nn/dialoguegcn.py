"""The network behind :class:`skmerc.DialogueGCNClassifier`."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.nn import GraphConv
from torch_geometric.utils import softmax

from skmerc._utils.random import Dropout
from skmerc._utils.registry import storable
from skmerc.graph import (
    N_RELATIONS,
    RelationalConvolution,
    speaker_pairs,
    speaker_relations,
    window_edges,
)
from skmerc.graph._edges import lengths_of
from skmerc.losses import focal_loss
from skmerc.nn.base import DialogueLoss, DialogueNetwork
from skmerc.nn.blocks import hide_modalities, show_blocks
from skmerc.nn.context import DialogueRNN


class DialogueGCNOutput(NamedTuple):
    """What the network says of each utterance."""

    logits: Tensor
    embedding: Tensor


@storable
class DialogueGCNNetwork(DialogueNetwork):
    r"""Bi-GRU context, a graph of two convolutions, and attention over the dialogue.

    The utterance's context is :math:`g_i`. An edge of the window weighs
    :math:`a_{ij} = \mathrm{softmax}_j(g_i^\top W_e g_j)`, and its relation is the pair
    of speakers and the direction. After a relational convolution and a plain one,
    :math:`h_i = [g_i, g_i^{(2)}]`, and what is classified is the dialogue as the
    utterance looks at it:

    .. math:: \tilde h_i = \sum_j \mathrm{softmax}_j(h_i^\top W_\beta h_j) \, h_j

    Parameters
    ----------
    reader : dict
        Parameters of the reader of blocks.
    n_outputs : int
        Number of emotions.
    n_speakers : int or None
        How many speakers of a dialogue are told apart by relations, where those who
        join later count as the last one; None for the same speaker and all others.
    hidden_size : int
        Width of the graph, and per direction of the Bi-GRU.
    context_layers : int
        Depth of the Bi-GRU.
    n_bases : int
        Bases of the relational convolution.
    window_past, window_future : int or None
        Window of the graph.
    dropout : float
        Dropout of features, between layers and before the answer.
    modality_dropout : float
        Probability that a modality of an utterance is hidden in training.
    """

    def __init__(
        self,
        reader: dict,
        n_outputs: int,
        *,
        n_speakers: int | None,
        hidden_size: int,
        context_layers: int,
        n_bases: int,
        window_past: int | None,
        window_future: int | None,
        dropout: float,
        modality_dropout: float,
    ) -> None:
        super().__init__(reader)
        self.n_speakers, self.modality_dropout = n_speakers, modality_dropout
        self.window = window_past, window_future
        widths, size = self.reader.widths, 2 * hidden_size
        self.dropout = Dropout(dropout)
        self.context = DialogueRNN(
            sum(widths) + len(widths), hidden_size, context_layers, dropout, cell="GRU"
        )
        self.weigh = nn.Linear(size, size, bias=False)
        # Pairs of speakers, in two directions, and an utterance by itself.
        n_relations = 2 * n_speakers**2 + 1 if n_speakers else N_RELATIONS
        self.of_speakers = RelationalConvolution(
            size, hidden_size, n_relations, n_bases
        )
        self.of_neighbors = GraphConv(hidden_size, hidden_size, aggr="add")
        self.attend = nn.Linear(size + hidden_size, size + hidden_size, bias=False)
        self.embed = nn.Linear(size + hidden_size, hidden_size)
        self.classify = nn.Linear(hidden_size, n_outputs)
        self.embedding_size = hidden_size

    def forward(
        self, features: Tensor, sequence: Tensor, speaker: Tensor
    ) -> DialogueGCNOutput:
        """Recognise the emotions of whole dialogues, as the base class says."""
        lengths = lengths_of(sequence)
        context = self.context(self._read(features), lengths)
        nodes = self._convolve(context, sequence, speaker, lengths)
        seen = self._look_around(torch.cat([context, nodes], dim=1), lengths)
        embedding = self.embed(self.dropout(seen)).relu()
        return DialogueGCNOutput(self.classify(self.dropout(embedding)), embedding)

    def _read(self, features: Tensor) -> Tensor:
        blocks, present = self.reader(features)
        shown = hide_modalities(present, self.modality_dropout * self.training)
        parts = [*show_blocks(blocks, shown), shown.to(features.dtype)]
        return self.dropout(torch.cat(parts, dim=1))

    def _convolve(
        self, context: Tensor, sequence: Tensor, speaker: Tensor, lengths: Tensor
    ) -> Tensor:
        edges = window_edges(lengths, *self.window)
        source, target = edges
        relation = self._relations(edges, speaker, sequence)
        score = (self.weigh(context)[target] * context[source]).sum(1)
        weight = softmax(score, target, num_nodes=context.shape[0])
        nodes = self.of_speakers(context, edges, relation, weight).relu()
        others = edges[:, source != target]
        return self.of_neighbors(self.dropout(nodes), others).relu()

    def _relations(self, edges: Tensor, speaker: Tensor, sequence: Tensor) -> Tensor:
        if self.n_speakers is None:
            return speaker_relations(edges, speaker)
        pairs = speaker_pairs(edges, speaker, sequence, self.n_speakers)
        return torch.where(edges[0] == edges[1], 2 * self.n_speakers**2, pairs)

    def _look_around(self, nodes: Tensor, lengths: Tensor) -> Tensor:
        exported = torch.compiler.is_exporting()
        sizes = [nodes.shape[0]] if exported else lengths.tolist()
        asked = self.attend(nodes).split(sizes)
        seen = [
            (question @ dialogue.T).softmax(dim=1) @ dialogue
            for question, dialogue in zip(asked, nodes.split(sizes), strict=True)
        ]
        return torch.cat(seen)


@storable
class DialogueGCNLoss(DialogueLoss):
    """Cross-entropy of the emotions; the paper's L2 is the optimiser's weight decay.

    Parameters
    ----------
    focal_gamma, label_smoothing : float
        As in :func:`skmerc.losses.focal_loss`.
    logit_shift : list of float or None, default=None
        As in the base class.
    """

    def __init__(
        self,
        focal_gamma: float,
        label_smoothing: float,
        logit_shift: list[float] | None = None,
    ) -> None:
        super().__init__(logit_shift)
        self.focal_gamma, self.label_smoothing = focal_gamma, label_smoothing

    def losses(
        self, output: DialogueGCNOutput, answer: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Weigh the loss over the labelled utterances."""
        target, weight = answer["target"], answer["weight"]
        loss = focal_loss(
            output.logits, target, self.focal_gamma, weight, self.label_smoothing
        )
        return {"focal_loss": loss}
