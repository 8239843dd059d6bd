"""Trained networks that read one dialogue, in operations that every runtime knows.

Training reads many dialogues at once, through lists of edges, packed sequences and
sparse products. A graph that serves one dialogue needs none of them: matrices over its
turns, target by source, give the same numbers out of the same weights.
"""

import math
from copy import deepcopy

import torch
from torch import Tensor, nn

from skmerc.graph import N_RELATIONS, RelationalAttention
from skmerc.nn.blocks import BlockReader
from skmerc.nn.cberl import CBERLNetwork, same_speaker
from skmerc.nn.dialoguegcn import DialogueGCNNetwork
from skmerc.nn.joyful import JoyfulNetwork
from skmerc.nn.joyful_fusion import _project
from skmerc.nn.transformer import _angles, _rotate, _waves
from skmerc.nn.vae import JointVAE


class ServedCBERL(nn.Module):
    """A trained :class:`skmerc.nn.cberl.CBERLNetwork`, for one dialogue.

    Parameters
    ----------
    network : CBERLNetwork
        The network, which stays as it is.
    """

    def __init__(self, network: CBERLNetwork):
        super().__init__()
        self.network = network = deepcopy(network).cpu()
        if network.context is not None:
            network.context = nn.Sequential(*map(_Recurrent, network.context.layers))
        layers = network.graph.layers
        network.graph.layers = nn.ModuleList(_Attention(layer) for layer in layers)
        self.eval()

    def forward(self, features: Tensor, speaker: Tensor) -> Tensor:
        """Tell the logits (n, n_classes) of features (n, n_features) of a dialogue."""
        network = self.network
        goes_on = same_speaker(torch.zeros_like(speaker), speaker)
        fused, *_ = network._fuse(features, goes_on)
        context = network.enter(fused)
        if network.context is not None:
            context = context + network.context(context)
        near = window_around(_turns(speaker), *network.window)
        coded = network.graph(context, near, relations_between(speaker))
        return network.classify(network.norm(coded))


class ServedJoyful(nn.Module):
    """A trained :class:`skmerc.nn.joyful.JoyfulNetwork`, for one dialogue.

    Parameters
    ----------
    network : JoyfulNetwork
        The network, which stays as it is.
    """

    def __init__(self, network: JoyfulNetwork):
        super().__init__()
        self.network = network = deepcopy(network).cpu()
        if network.fusion.in_dialogue:
            transformer = network.fusion.in_dialogue.transformer
            network.fusion.in_dialogue.transformer = _Transformer(transformer)
        for layer in network.graph.layers:
            attends = isinstance(layer.aggregate, RelationalAttention)
            layer.aggregate = (_Attention if attends else _Mean)(layer.aggregate)
        self.eval()

    def forward(self, features: Tensor, speaker: Tensor) -> Tensor:
        """Tell the logits (n, n_outputs) of features (n, n_features) of a dialogue."""
        network = self.network
        x = self._fuse(*network.reader(features))
        turn, n_speakers = _turns(speaker), network.graph.n_speakers
        near = window_around(turn, *network.views.window) & (turn[:, None] != turn)
        relation = relations_between(speaker)
        if n_speakers:
            relation = pairs_between(speaker, n_speakers)
        for layer in network.graph.layers:
            x = layer(x, near, relation)
        # Both views are the same when nothing is augmented.
        return network.classify(2 * x)

    def _fuse(self, blocks: list[Tensor], present: Tensor) -> Tensor:
        fusion, codes = self.network.fusion, []
        if fusion.in_dialogue:
            z = _project(fusion.in_dialogue.project, blocks, present)
            codes.append(fusion.in_dialogue.transformer(z))
        if fusion.on_basis:
            codes.append(fusion.norm(fusion.on_basis(blocks, present)[0]))
        return torch.cat(codes or blocks, dim=1)


class ServedDialogueGCN(nn.Module):
    """A trained :class:`skmerc.nn.dialoguegcn.DialogueGCNNetwork`, for one dialogue.

    Parameters
    ----------
    network : DialogueGCNNetwork
        The network, which stays as it is.
    """

    def __init__(self, network: DialogueGCNNetwork):
        super().__init__()
        self.network = network = deepcopy(network).cpu()
        network.context = nn.Sequential(*map(_Recurrent, network.context.layers))
        self.eval()

    def forward(self, features: Tensor, speaker: Tensor) -> Tensor:
        """Tell the logits (n, n_classes) of features (n, n_features) of a dialogue."""
        network = self.network
        context = network.context(network._read(features))
        nodes = torch.cat([context, self._convolve(context, speaker)], dim=1)
        seen = (network.attend(nodes) @ nodes.T).softmax(dim=1) @ nodes
        return network.classify(network.embed(seen).relu())

    def _convolve(self, context: Tensor, speaker: Tensor) -> Tensor:
        network, turn = self.network, _turns(speaker)
        near, itself = window_around(turn, *network.window), turn[:, None] == turn
        weight = (network.weigh(context) @ context.T).masked_fill(~near, -torch.inf)
        relation, layer = relations_between(speaker), network.of_speakers
        if network.n_speakers:
            pairs = pairs_between(speaker, network.n_speakers)
            relation = torch.where(itself, 2 * network.n_speakers**2, pairs)
        kinds = _kinds(near, relation, len(layer.shares))
        shares = kinds / kinds.sum(dim=2, keepdim=True).clamp(min=1)
        heard = (shares * weight.softmax(dim=1)[:, None]) @ context
        transforms = torch.einsum("rb,bio->rio", layer.shares, layer.bases)
        nodes = torch.einsum("nri,rio->no", heard, transforms).relu()
        plain, others = network.of_neighbors, (near & ~itself).to(nodes.dtype)
        return (plain.lin_rel(others @ nodes) + plain.lin_root(nodes)).relu()


class ServedFusion(nn.Module):
    """A trained :class:`skmerc.nn.vae.JointVAE`, for one dialogue.

    Parameters
    ----------
    reader : BlockReader
        Takes the modalities apart.
    vae : JointVAE
        The network, which stays as it is.
    with_blocks : bool
        Whether the standardised modalities follow the code, NaN where missing.
    """

    def __init__(self, reader: BlockReader, vae: JointVAE, with_blocks: bool):
        super().__init__()
        self.reader, self.vae = reader, deepcopy(vae).cpu()
        self.with_blocks = with_blocks
        self.eval()

    def forward(self, features: Tensor, speaker: Tensor) -> Tensor:
        """Fuse features (n, n_features); the speakers are not asked."""
        blocks, present = self.reader(features)
        fused = [self.vae(blocks, present).mean]
        if self.with_blocks:
            pairs = zip(blocks, present.unbind(1), strict=True)
            fused += [torch.where(seen[:, None], x, torch.nan) for x, seen in pairs]
        return torch.cat(fused, dim=1)


def window_around(turn: Tensor, past: int | None, future: int | None) -> Tensor:
    """Tell which turns (columns) send to which (rows), each to itself too.

    Parameters
    ----------
    turn : Tensor of shape (n,)
        Numbers of the turns.
    past, future : int or None
        As in :func:`skmerc.graph.window_edges`.

    Returns
    -------
    Tensor of shape (n, n)
        True where the column's turn is in the window of the row's.
    """
    back = turn[:, None] - turn
    near = torch.ones_like(back, dtype=torch.bool)
    if past is not None and past >= 0:
        near = near & (back <= past)
    if future is not None and future >= 0:
        near = near & (back >= -future)
    return near


def relations_between(speaker: Tensor) -> Tensor:
    """Tell the relation of every pair, as :func:`skmerc.graph.speaker_relations`.

    Parameters
    ----------
    speaker : Tensor of shape (n,)
        Code of the speaker of each turn.

    Returns
    -------
    Tensor of shape (n, n)
        Relation of the row's turn to the column's, which sends.
    """
    turn = _turns(speaker)
    other = (speaker[:, None] != speaker).long()
    relation = 2 * other + (turn > turn[:, None]).long()
    return torch.where(turn == turn[:, None], N_RELATIONS - 1, relation)


def pairs_between(speaker: Tensor, n_speakers: int) -> Tensor:
    """Tell the relation of every pair, as :func:`skmerc.graph.speaker_pairs`.

    Parameters
    ----------
    speaker : Tensor of shape (n,)
        Code of the speaker of each turn.
    n_speakers : int
        How many speakers are told apart.

    Returns
    -------
    Tensor of shape (n, n)
        Relation of the row's turn to the column's, which sends.
    """
    turn = _turns(speaker)
    first = (speaker[:, None] == speaker).long().argmax(dim=1)
    number = ((first == turn).long().cumsum(0) - 1)[first].clamp(max=n_speakers - 1)
    pair = number * n_speakers + number[:, None]
    return 2 * pair + (turn > turn[:, None]).long()


class _Recurrent(nn.Module):
    """The operators of ONNX: torch.export would fix the number of turns."""

    def __init__(self, layer: nn.LSTM | nn.GRU):
        super().__init__()
        self.cell, self.size = layer.mode, layer.hidden_size
        ways = ("", "_reverse") if layer.bidirectional else ("",)
        self.n_ways = len(ways)

        def stacked(*names):
            parts = [[getattr(layer, f"{n}_l0{way}") for n in names] for way in ways]
            return torch.stack([torch.cat([*map(self._reorder, p)]) for p in parts])

        self.register_buffer("weight_ih", stacked("weight_ih"))
        self.register_buffer("weight_hh", stacked("weight_hh"))
        self.register_buffer("bias", stacked("bias_ih", "bias_hh"))

    def _reorder(self, gates: Tensor) -> Tensor:
        parts = gates.detach().chunk(len(_GATES[self.cell]))
        return torch.cat([parts[number] for number in _GATES[self.cell]])

    def forward(self, x: Tensor) -> Tensor:
        direction = "bidirectional" if self.n_ways == 2 else "forward"
        n, about = x.shape[0], {"hidden_size": self.size, "direction": direction}
        if self.cell == "GRU":
            about["linear_before_reset"] = 1  # as torch has it
        ways = torch.onnx.ops.symbolic(
            self.cell,
            (x[:, None], self.weight_ih, self.weight_hh, self.bias),
            about,
            dtype=x.dtype,
            shape=(n, self.n_ways, 1, self.size),
        )
        return ways.reshape(n, self.n_ways * self.size)


_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""Torch's numbers of the gates in the order of ONNX.

In, out, forget and cell of an LSTM; update, reset and hidden of a GRU.
"""


class _Attention(nn.Module):
    """A :class:`skmerc.graph.RelationalAttention` over matrices of turns."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, near: Tensor, relation: Tensor) -> Tensor:
        layer, n = self.layer, x.shape[0]
        pair = layer.query_key(x).view(n, 2, layer.heads, -1)
        query, key = pair.permute(1, 2, 0, 3).unbind(0)
        preference = layer.preference[relation].permute(2, 0, 1)
        weight = _weights(query, key, near, preference)
        kind = _kinds(near, relation, layer.n_relations)
        value = layer.value(x).view(n, layer.n_relations, layer.heads, -1)
        value = value.permute(2, 1, 0, 3).flatten(1, 2)
        heard = (weight[:, :, None] * kind).flatten(2) @ value
        return heard.transpose(0, 1).flatten(1)


class _Mean(nn.Module):
    """A :class:`skmerc.graph.NeighborMean` over matrices of turns."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, near: Tensor, relation: Tensor) -> Tensor:
        n, n_kinds = x.shape[0], self.layer.n_relations
        relation = relation if n_kinds > 1 else torch.zeros_like(relation)
        kind = _kinds(near, relation, n_kinds)
        share = kind / kind.sum(dim=2, keepdim=True).clamp(min=1)
        value = self.layer.value(x).view(n, n_kinds, -1).transpose(0, 1)
        return share.flatten(1) @ value.flatten(0, 1)


class _Transformer(nn.Module):
    """A :class:`skmerc.nn.transformer.DialogueTransformer` over a whole dialogue."""

    def __init__(self, transformer: nn.Module):
        super().__init__()
        self.transformer = transformer
        for layer in transformer.layers:
            layer.attention = _SelfAttention(layer.attention)

    def forward(self, x: Tensor) -> Tensor:
        whole, turn = self.transformer, torch.arange(x.shape[0], device=x.device)
        near = window_around(turn, whole.window, 0 if whole.causal else whole.window)
        rotary = whole.position == "rotary"
        angles = _angles(turn, whole.head_size) if rotary else None
        if whole.position == "sinusoidal":
            x = x + _waves(turn, x)
        for layer in whole.layers:
            x = layer(x, near, angles)
        return whole.norm(x)


class _SelfAttention(nn.Module):
    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, near: Tensor, angles: Tensor | None) -> Tensor:
        layer = self.layer
        qkv = layer.qkv(x)
        if angles is not None:
            qk, v = qkv.split([2 * layer.size, layer.size], dim=1)
            qkv = torch.cat([_rotate(qk, angles), v], dim=1)
        q, k, v = qkv.view(x.shape[0], 3, layer.heads, -1).permute(1, 2, 0, 3)
        heard = _weights(q, k, near) @ v
        return layer.out(heard.transpose(0, 1).flatten(1))


def _turns(speaker: Tensor) -> Tensor:
    return torch.arange(speaker.shape[0], device=speaker.device)


def _weights(query: Tensor, key: Tensor, near: Tensor, preference=0.0) -> Tensor:
    """Share out the attention of each turn among those near it: (heads, n, n)."""
    score = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1]) + preference
    # A number, not infinity, or turns without neighbours would be NaN.
    return score.masked_fill(~near, torch.finfo(score.dtype).min).softmax(2)


def _kinds(near: Tensor, relation: Tensor, n: int) -> Tensor:
    """Tell for each target, relation and source whether it sends: float (n, r, n)."""
    number = torch.arange(n, device=relation.device)[:, None]
    return ((relation[:, None] == number) & near[:, None]).float()
