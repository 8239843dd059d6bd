"""The network behind :class:`skmerc.CBERLClassifier`."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmerc._utils.random import Dropout
from skmerc._utils.registry import storable
from skmerc.graph import speaker_relations, window_edges
from skmerc.graph._edges import edges_to_last, last_turns, lengths_of
from skmerc.losses import focal_loss, weighted_mean
from skmerc.nn.base import DialogueLoss, DialogueNetwork, Reach
from skmerc.nn.blocks import hide_modalities, show_blocks
from skmerc.nn.context import DialogueRNN
from skmerc.nn.masked_graph import MaskedGraphEncoder, draw_mask
from skmerc.nn.vae import JointVAE


class Recognition(NamedTuple):
    """What the network says of each utterance.

    Parameters
    ----------
    logits : Tensor of shape (n, n_outputs)
        Unnormalised log-probabilities.
    embedding : Tensor of shape (n, embedding_size)
        What they are made of.
    reconstruction_error : Tensor of shape (n,)
        Error of the utterances that were hidden from the graph and restored.
    fusion_loss : Tensor of shape (n,)
        Error of the modalities that the variational code restores.
    divergence : Tensor of shape (n,), or 0
        Divergences of its posterior, at their full weights.
    """

    logits: Tensor
    embedding: Tensor
    reconstruction_error: Tensor
    fusion_loss: Tensor
    divergence: Tensor | float = 0.0


@storable
class CBERLNetwork(DialogueNetwork):
    """Fusion, Bi-LSTM context, masked graph and softmax layer of CBERL.

    Parameters
    ----------
    reader : dict
        Parameters of the :class:`~skmerc.nn.blocks.BlockReader`.
    n_outputs : int
        Number of emotions.
    fusion : {"concat", "djvae", "djvae_latent"}
        What of an utterance goes on: its modalities, these and a variational code, or
        the code alone.
    latent_size : int
        Width of the variational code.
    modality_dropout : float
        Probability that a modality of an utterance is hidden in training.
    hidden_size : int
        Width per direction of the Bi-LSTM, half the width of an LSTM.
    bidirectional : bool
        Whether the context is a Bi-LSTM, which hears the whole dialogue, or an LSTM.
    lstm_layers, graph_layers, heads : int
        Depth of the context and of the graph, 0 to leave them out, and attention
        heads.
    window_past, window_future : int or None
        Window of the graph.
    dropout : float
        Dropout before every layer.
    mask_rate : float
        Share of utterances that are hidden and restored.
    mask : {"node", "neighbor", "class_aware"}
        What is hidden.
    mask_exponent : float
        Power of the scaled cosine error.
    beta, gamma : float
        Weights of the divergences in the variational loss.
    posterior : {"joint", "poe"}
        Posterior of the variational code.
    """

    def __init__(
        self,
        reader: dict,
        n_outputs: int,
        *,
        fusion: str,
        latent_size: int,
        beta: float,
        gamma: float,
        posterior: str,
        modality_dropout: float,
        hidden_size: int,
        bidirectional: bool,
        lstm_layers: int,
        graph_layers: int,
        heads: int,
        window_past: int | None,
        window_future: int | None,
        dropout: float,
        mask_rate: float,
        mask: str,
        mask_exponent: float,
    ) -> None:
        super().__init__(reader)
        self.mask_rate, self.mask = mask_rate, mask
        self.beta, self.gamma = beta, gamma
        self.modality_dropout = modality_dropout
        self.window = window_past, window_future
        widths, size = self.reader.widths, 2 * hidden_size
        if size % heads:
            raise ValueError(f"heads={heads} does not divide 2 * hidden_size={size}.")
        self.vae, in_size = None, 1
        self.code_alone = fusion == "djvae_latent"
        if fusion != "concat":
            self.vae = JointVAE(widths, latent_size=latent_size, posterior=posterior)
            in_size += latent_size
        if not self.code_alone:
            in_size += sum(widths) + len(widths)
        self.enter = nn.Sequential(
            Dropout(dropout), nn.Linear(in_size, size), nn.ReLU()
        )
        self.dropout = Dropout(dropout)
        self.context = None
        if lstm_layers:
            self.context = DialogueRNN(
                size,
                hidden_size if bidirectional else size,
                lstm_layers,
                dropout,
                bidirectional=bidirectional,
            )
        self.graph = MaskedGraphEncoder(
            size, graph_layers, heads, dropout, mask, mask_exponent
        )
        self.norm = nn.LayerNorm(size)
        self.classify = nn.Linear(size, n_outputs)
        self.embedding_size = size

    def forward(
        self,
        features: Tensor,
        sequence: Tensor,
        speaker: Tensor,
        mask_weight: Tensor | None = None,
    ) -> Recognition:
        """Recognise the emotions of whole dialogues, as the base class says."""
        lengths = lengths_of(sequence)
        goes_on = same_speaker(sequence, speaker)
        fused, fusion_loss, divergence = self._fuse(features, goes_on)
        context = self.enter(fused)
        if self.context is not None:
            # The shortcut keeps what the utterance says itself beside its context.
            context = context + self.context(self.dropout(context), lengths)
        edges = window_edges(lengths, *self.window)
        relations = speaker_relations(edges, speaker)
        clean, context = context, self.dropout(context)
        embedding = self.norm(self.graph(context, edges, relations))
        error = torch.zeros_like(fusion_loss)
        if self.training and self.mask_rate:
            weight = mask_weight if self.mask == "class_aware" else None
            masked = draw_mask(lengths, self.mask_rate, weight)
            error = self.graph.reconstruction_error(
                context, edges, relations, masked, sequence, clean
            )
        logits = self.classify(self.dropout(embedding))
        return Recognition(logits, embedding, error, fusion_loss, divergence)

    @property
    def reach(self) -> Reach:
        """See the base class."""
        # An utterance is told whether the same person spoke before.
        layers = [(1, 0), *[self.window] * len(self.graph.layers)]
        if self.context is not None:
            layers.append((None, None if self.context.bidirectional else 0))
        return Reach.of(*layers)

    def step(
        self, features: Tensor, speaker: int, state: tuple | None
    ) -> tuple[Recognition, tuple]:
        """Recognise the emotion of the next utterance; see the base class."""
        person = torch.tensor([speaker], device=features.device)
        before, remembered, speakers, read = state or (None, None, person[:0], None)
        goes_on = torch.tensor([speaker == before], device=features.device)
        fused, loss, divergence = self._fuse(features, goes_on)
        context = self.enter(fused)
        if self.context is not None:
            heard, remembered = self.context.step(context, remembered)
            context = context + heard
        speakers = torch.cat([speakers, person])
        edges = edges_to_last(len(speakers), itself=True, device=features.device)
        relations = speaker_relations(edges, speakers)
        coded, read = self.graph.step(context, read, relations)
        embedding = self.norm(coded)
        logits, past = self.classify(embedding), self.window[0]
        kept = last_turns(speakers, past), tuple(last_turns(x, past) for x in read)
        output = Recognition(
            logits, embedding, torch.zeros_like(loss), loss, divergence
        )
        return output, (speaker, remembered, *kept)

    def _fuse(self, features: Tensor, goes_on: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        blocks, present = self.reader(features)
        shown = hide_modalities(present, self.modality_dropout * self.training)
        fusion_loss = divergence = torch.zeros_like(features[:, 0])
        parts: list[Tensor] = []
        if not self.code_alone:
            parts = blocks.copy() if shown is present else show_blocks(blocks, shown)
        if self.vae:
            result = self.vae(blocks, shown)
            parts.append(result.code)
            if self.training:
                fusion_loss, *terms = self.vae.terms(result, blocks, present)
                divergence = self.beta * terms[0] + self.gamma * terms[1]
        if not self.code_alone:
            parts.append(shown.to(features.dtype))
        parts.append(goes_on.to(features.dtype)[:, None])
        return torch.cat(parts, dim=1), fusion_loss, divergence


def same_speaker(sequence: Tensor, speaker: Tensor) -> Tensor:
    """Tell whether each utterance is by who spoke before it in its dialogue.

    Parameters
    ----------
    sequence, speaker : Tensor of shape (n,)
        Number of the dialogue, and code of the speaker.

    Returns
    -------
    Tensor of int of shape (n,)
        1 where that is so, 0 elsewhere and at the beginning of a dialogue.
    """
    goes_on = (speaker[1:] == speaker[:-1]) & (sequence[1:] == sequence[:-1])
    return F.pad(goes_on.long(), (1, 0))


@storable
class CBERLLoss(DialogueLoss):
    r"""Joint objective: :math:`L = L_{focal} + \lambda L_{rec} + L_{VAE}`.

    Parameters
    ----------
    focal_gamma : float
        Focus of the focal loss.
    reconstruction_weight : float
        The factor :math:`\lambda`.
    fusion_weight : float
        Factor on the variational loss.
    label_smoothing : float
        Share of the target spread over all classes.
    logit_shift : list of float or None, default=None
        As in the base class.
    """

    def __init__(
        self,
        *,
        focal_gamma: float,
        reconstruction_weight: float,
        fusion_weight: float,
        label_smoothing: float,
        logit_shift: list[float] | None = None,
    ) -> None:
        super().__init__(logit_shift)
        self.warm(1.0)
        self.focal_gamma, self.label_smoothing = focal_gamma, label_smoothing
        self.factors = {
            "reconstruction_loss": reconstruction_weight,
            "fusion_loss": fusion_weight,
        }

    def warm(self, share: float) -> None:
        """Let the divergences of the variational loss count for a share."""
        self.share = share

    def losses(
        self, output: Recognition, answer: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Weigh the terms over the labelled utterances."""
        target, weight = answer["target"], answer["weight"]
        focal = focal_loss(
            output.logits, target, self.focal_gamma, weight, self.label_smoothing
        )
        error = output.reconstruction_error
        # Synthetic utterances are not restored.
        hidden = weight * (error > 0) * ~answer["copy"]
        reconstruction = weighted_mean(error, hidden)
        fusion = output.fusion_loss + self.share * output.divergence
        return {
            "focal_loss": focal,
            "reconstruction_loss": reconstruction,
            "fusion_loss": weighted_mean(fusion, weight),
        }
