"""The network behind :class:`skmerc.JoyfulClassifier` and its regressor."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmerc._utils.random import Dropout
from skmerc._utils.registry import storable
from skmerc.graph._edges import last_turns, lengths_of
from skmerc.losses import contrastive_loss, focal_loss, weighted_mean
from skmerc.nn.base import DialogueLoss, DialogueNetwork, Reach
from skmerc.nn.blocks import hide_modalities
from skmerc.nn.joyful_fusion import JoyfulFusion
from skmerc.nn.joyful_graph import ForeignConvolution, JoyfulGraph, TwoViews


class JoyfulOutput(NamedTuple):
    """What the network says of each utterance, and of its two views in training."""

    logits: Tensor
    embedding: Tensor
    view1: Tensor
    view2: Tensor
    sequence: Tensor
    fusion_loss: Tensor


@storable
class JoyfulNetwork(DialogueNetwork):
    r"""Fusion, two augmented views of the dialogue graph, and the classifier.

    View 1 has features masked and edges perturbed, view 2 features masked and distant
    edges added; both pass one graph network, and :math:`H = H_1 + H_2` is classified.
    Without augmentation, at inference, :math:`H = 2 H_1`.

    Parameters
    ----------
    reader : dict
        Parameters of the :class:`~skmerc.nn.blocks.BlockReader`.
    n_outputs : int
        Number of emotions, or 1 for a score.
    global_fusion, specific_fusion, fusion_size, n_bases, smoothing, heads
        Parameters of :class:`~skmerc.nn.joyful_fusion.JoyfulFusion`, as those in
        `**fusion`.
    context_layers, context_window : int, int or None
        Depth and window of its transformer over the dialogue.
    hidden_size : int or None
        Width of the graph network; None is that of its input.
    graph_layers : int
        Its depth.
    conv, conv_params, n_speakers
        See :class:`~skmerc.nn.joyful_graph.JoyfulGraph`; of a convolution of
        torch-geometric the class and its parameters.
    window_past, window_future : int or None
        Window of the graph.
    augmentation_rate, feature_mask_rate, edge_rate
        Rates of :class:`~skmerc.nn.joyful_graph.TwoViews`.
    dropout : float
        Dropout in the transformer, before graph layers and in the classifier.
    modality_dropout : float
        Probability that a modality of an utterance is hidden in training.
    **fusion
        Parameters of :class:`~skmerc.nn.joyful_fusion.JoyfulFusion` that estimators do
        not have.
    """

    def __init__(
        self,
        reader: dict,
        n_outputs: int,
        *,
        global_fusion: bool,
        specific_fusion: bool,
        fusion_size: int | None,
        n_bases: int,
        smoothing: float,
        heads: int,
        context_layers: int,
        context_window: int | None,
        hidden_size: int | None,
        graph_layers: int,
        conv: str | type,
        conv_params: dict | None,
        n_speakers: int | None,
        window_past: int | None,
        window_future: int | None,
        augmentation_rate: float,
        feature_mask_rate: float | None,
        edge_rate: float | None,
        dropout: float,
        modality_dropout: float,
        **fusion: Any,
    ) -> None:
        super().__init__(reader)
        self.modality_dropout = modality_dropout
        self.fusion = JoyfulFusion(
            self.reader.widths,
            fusion_size,
            global_fusion=global_fusion,
            specific_fusion=specific_fusion,
            n_bases=n_bases,
            smoothing=smoothing,
            heads=heads,
            layers=context_layers,
            window=context_window,
            causal=window_future == 0,
            dropout=dropout,
            **fusion,
        )
        hidden_size = hidden_size or self.fusion.size
        if conv_params and not isinstance(conv, type):
            raise ValueError(
                f"conv_params={conv_params} is for convolutions of torch-geometric, "
                f"and conv={conv!r} takes none. Leave it out."
            )
        self.views = TwoViews(
            augmentation_rate,
            window_past,
            window_future,
            feature_mask_rate=feature_mask_rate,
            edge_rate=edge_rate,
        )
        self.graph = JoyfulGraph(
            self.fusion.size,
            hidden_size,
            layers=graph_layers,
            conv=(conv, conv_params or {}) if isinstance(conv, type) else conv,
            n_speakers=n_speakers,
            dropout=dropout,
        )
        self.classify = nn.Sequential(
            nn.LayerNorm(hidden_size),
            Dropout(dropout),
            nn.Linear(hidden_size, n_outputs),
        )
        self.embedding_size = hidden_size

    def forward(
        self, features: Tensor, sequence: Tensor, speaker: Tensor
    ) -> JoyfulOutput:
        """Recognise the emotions of whole dialogues, as the base class says."""
        lengths = lengths_of(sequence)
        blocks, present = self.reader(features)
        shown = hide_modalities(present, self.modality_dropout * self.training)
        nodes, loss = self.fusion(blocks, shown, lengths)
        view1, view2 = self.views(self.graph, nodes, lengths, speaker, sequence)
        embedding = view1 + view2
        logits = self.classify(embedding)
        return JoyfulOutput(logits, embedding, view1, view2, sequence, loss)

    @property
    def reach(self) -> Reach:
        """See the base class."""
        if any(
            isinstance(layer.aggregate, ForeignConvolution)
            for layer in self.graph.layers
        ):
            return Reach(None, None)  # whatever such a layer looks at
        layers = [self.views.window] * len(self.graph.layers)
        if self.graph.n_speakers:
            layers.append((None, 0))  # speakers are numbered from the beginning
        if self.fusion.in_dialogue:
            layers.append(self.fusion.in_dialogue.transformer.reach)
        return Reach.of(*layers)

    def step(
        self, features: Tensor, speaker: int, state: tuple | None
    ) -> tuple[JoyfulOutput, tuple]:
        """Recognise the emotion of the next utterance; see the base class."""
        person = torch.tensor([speaker], device=features.device)
        remembered, speakers, read = state or (None, person[:0], None)
        blocks, present = self.reader(features)
        node, remembered = self.fusion.step(blocks, present, remembered)
        speakers = torch.cat([speakers, person])
        view, read = self.graph.step(node, read, speakers)
        past, embedding = self.views.window[0], 2 * view
        kept = last_turns(speakers, past), tuple(last_turns(x, past) for x in read)
        output = JoyfulOutput(
            self.classify(embedding),
            embedding,
            view,
            view,
            torch.zeros_like(person),
            torch.zeros_like(features[:, 0]),
        )
        return output, (remembered, *kept)


@storable
class JoyfulLoss(DialogueLoss):
    r"""Joint objective :math:`L = \alpha L_{mf} + \beta L_{ct} + L_{ce}` (equation 15).

    Parameters
    ----------
    task : {"classes", "label_sets", "values"}
        Cross-entropy over emotions (Eq. 14), over each emotion's presence, or mean
        absolute error (Eq. 16).
    fusion_weight : float
        The factor :math:`\alpha`.
    contrast_weight : float
        The factor :math:`\beta`.
    contrast : {"paper", "grace", "supervised"}
        Form of the contrastive loss. The supervised one is of classes, and sees the
        utterances alone that have a weight.
    temperature : float
        Temperature of ``"grace"`` and ``"supervised"``.
    batch_negatives : bool
        Whether utterances are contrasted with the whole batch rather than with their
        dialogue.
    focal_gamma, label_smoothing : float, default=0.0
        As in :func:`skmerc.losses.focal_loss`.
    logit_shift : list of float or None, default=None
        As in the base class.
    """

    def __init__(
        self,
        task: str,
        *,
        fusion_weight: float,
        contrast_weight: float,
        contrast: str,
        temperature: float,
        batch_negatives: bool,
        focal_gamma: float = 0.0,
        label_smoothing: float = 0.0,
        logit_shift: list[float] | None = None,
    ) -> None:
        super().__init__(logit_shift)
        self.task, self.contrast_weight = task, contrast_weight
        self.contrast, self.temperature = contrast, temperature
        self.batch_negatives = batch_negatives
        self.focal_gamma, self.label_smoothing = focal_gamma, label_smoothing
        self.factors = {
            "fusion_loss": fusion_weight,
            "contrastive_loss": contrast_weight,
        }

    def losses(
        self, output: JoyfulOutput, answer: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Weigh the terms over the labelled utterances."""
        weight = answer["weight"]
        task = self._task_loss(output.logits, answer["target"], weight)
        fusion = weighted_mean(output.fusion_loss, weight)
        contrast = torch.zeros_like(task)
        if self.contrast_weight:
            contrast = self._contrast_loss(output, answer)
        return {
            "task_loss": task,
            "fusion_loss": fusion,
            "contrastive_loss": contrast,
        }

    def _task_loss(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        if self.task == "classes":
            return focal_loss(
                logits, target, self.focal_gamma, weight, self.label_smoothing
            )
        if self.task == "label_sets":
            error = F.binary_cross_entropy_with_logits(
                logits, target.to(logits.dtype), reduction="none"
            )
            return weighted_mean(error.mean(dim=1), weight)
        return weighted_mean((logits.squeeze(1) - target).abs(), weight)

    def _contrast_loss(self, output: JoyfulOutput, answer: dict[str, Tensor]) -> Tensor:
        group, weight, label = output.sequence, answer["weight"], None
        if self.batch_negatives:
            # Copies with synthetic utterances stay by themselves, so that those are
            # nobody's negatives.
            group = torch.where(answer["copy"], group + 1, 0)
        rows = group.argsort(stable=True)
        if self.contrast == "supervised":
            # Classes of other utterances are unknown, or held out.
            rows = rows[weight[rows] > 0]
            label = answer["target"][rows]
        return contrastive_loss(
            output.view1[rows],
            output.view2[rows],
            group[rows],
            form=self.contrast,
            temperature=self.temperature,
            weight=weight[rows],
            label=label,
        )
