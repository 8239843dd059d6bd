"""What JOYFUL's classifier and regressor share: parameters, presets, network."""

from numbers import Integral
from typing import TYPE_CHECKING, Literal

import torch

from skmerc._training import train_fusion
from skmerc._training._batches import DialogueDataset
from skmerc._training._callbacks import names_of
from skmerc._utils.compat import Interval, StrOptions
from skmerc._utils.registry import Range
from skmerc._utils.types import FilePath, Modalities, RandomState
from skmerc.nn.base import DialogueLoss, DialogueNetwork
from skmerc.recognition._base import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    WINDOW,
    DialogueEstimator,
)
from skmerc.recognition._docstrings import (
    BATCH_SIZE,
    MODALITIES,
    PATIENCE,
    READING,
    RUN,
    VALIDATION,
)

if TYPE_CHECKING:
    from skorch import NeuralNet

_TRAINING = {
    "optimizer": torch.optim.Adam,
    "lr": 3e-5,
    "schedule": None,
    "weight_decay": 1e-8,
    "batch_size": 32,
    "max_epochs": 50,
    "patience": 50,
}

# Each text follows the four spaces that stand before it in a docstring.
PARAMETERS = f"""\
{MODALITIES}
    global_fusion, specific_fusion : bool, default=True
        Which representations there are: the modalities together in their dialogue
        (the paper's B1), and each modality on a shared basis (B2). With neither,
        modalities stand side by side.
    fusion_size : int or None, default=128
        Width of each of the two, rounded up to a multiple of `heads`, or, on the
        shared basis, of the number of modalities; None is the number of features,
        as in the paper.
    n_bases : int, default=64
        Number of vectors in the shared basis, which the paper does not tell.
    smoothing : float, default=0.2
        How fast the topic of a dialogue is forgotten (the paper's eta).
    context_layers : int, default=1
        Depth of the transformer over the dialogue; 4 in the released code.
    heads : int, default=8
        Attention heads of the transformer.
    context_window : int or None, default=256
        Number of utterances to each side that it attends to; None for the whole
        dialogue, at a quadratic cost.
    hidden_size : int or None, default=128
        Width of the graph network and of the embeddings; None keeps the width of
        its input, as in the paper.
    graph_layers : int, default=1
        Depth of the graph network; 1 in the paper.
    conv : {{"mean", "rgcn", "attention"}} or type, default="attention"
        What an utterance hears in a layer: the mean of its neighbours (Eq. 9), a
        relational graph convolution (the released code), or attention whose edges
        know who speaks, in which direction (with four heads, or as many of them as
        divide the width). Or a convolution of torch-geometric, such as
        :class:`torch_geometric.nn.GATv2Conv`, built as ``conv(in_size, out_size,
        **conv_params)`` and called with utterances and edges, and with their relations
        where it takes ``edge_type``.
    conv_params : dict or None, default=None
        Further parameters of a convolution of torch-geometric. Its answer must be as
        wide as `hidden_size`: several heads are averaged by ``{{"concat": False}}``.
    relations : {{"speaker", "pairs"}}, default="speaker"
        What an edge knows of speakers, besides its direction: whether they are the
        same, or which of the speakers of the first fit talks to which. Weights and
        memory of "pairs" grow with the square of the most speakers in a dialogue.
    window_past, window_future : int or None, default=6
        Number of utterances before and after that an utterance listens to; None or
        -1 for the whole dialogue, at a quadratic cost in time and memory. 6 is the
        paper's on IEMOCAP with six emotions, 8 that with four. With
        ``window_future=0`` nothing looks ahead, the transformer included, so that
        answers stay as a conversation goes on.
    dropout : float, default=0.5
        Dropout of the features, in the transformer, before graph layers, and before
        answers; 0.3 in the released code.
    modality_dropout : float, default=0.0
        Probability that a modality of an utterance is hidden in training.
    augmentation_rate : float, default=0.2
        Share of features masked, and of edges removed and added, in the two views
        of a dialogue (the paper's p).
    feature_mask_rate, edge_rate : float or None, default=None
        Share of features masked in both views, and of edges: those removed and added
        in the first view, and the distant ones added in the second. None is
        `augmentation_rate`.
    fusion_weight : float, default=0.06
        Factor on the loss of the fusion (the paper's alpha).
    contrast_weight : float, default=0.3
        Factor on the contrastive loss (the paper's beta).
    contrast : {{"paper", "grace", "supervised"}}, default="paper"
        Its form: Eqs. 11 to 13, the symmetric one with a temperature that the
        released code has, or, in the classifier, a supervised one, in which the
        utterances of an emotion resemble each other, and all emotions count alike.
        :func:`skmerc.losses.contrastive_loss` has the equations.
    temperature : float, default=0.2
        Temperature of ``"grace"`` and ``"supervised"``.
    batch_negatives : bool, default=False
        Whether utterances are contrasted with those of the whole batch, or of the
        same dialogue.
    training : {{"joint", "two-phase"}}, default="joint"
        Whether all losses train all parts, or the fusion is trained first, by its own
        loss for half of `max_epochs`, and stays as it is (with ``partial_fit``, at
        the first call)."""

TRAINING_PARAMETERS = f"""\
{READING}
    optimizer : type, default=torch.optim.AdamW
        Class of the optimiser.
    lr : float, default=3e-4
        Learning rate.
    schedule : {{"cosine"}} or None, default="cosine"
        How it falls: along a cosine to 0 at `max_epochs`, or not. `partial_fit`, which
        knows no end, leaves it as it is.
    weight_decay : float, default=1e-2
        Weight decay.
    {BATCH_SIZE}
    max_epochs : int, default=100
        Number of epochs at most.
    patience : int, "auto" or None, default="auto"
        Epochs without a better score on the validation dialogues after which
        training stops; the best weights are restored. The score is the mean of the
        last five epochs, since single ones stand out by chance. {PATIENCE}
    {VALIDATION}
    net_params : dict or None, default=None
        Anything else that a skorch net takes, ``module__position="rotary"`` among it,
        and an ``accelerator`` for training in several processes.
    {RUN}
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches, dropout, views and the inner split.
    verbose : int, default=0
        Whether to show a progress bar."""


class JoyfulEstimator(DialogueEstimator):
    """Base of JOYFUL's classifier and regressor."""

    _presets = {
        "paper": _TRAINING
        | {
            "fusion_size": None,
            "hidden_size": None,
            "context_layers": 4,
            "heads": 10,
            "conv": "mean",
            "dropout": 0.3,
        },
        "released": _TRAINING
        | {
            "fusion_size": 1024,
            "context_layers": 4,
            "hidden_size": 100,
            "graph_layers": 2,
            "conv": "rgcn",
            "relations": "pairs",
            "window_past": 8,
            "window_future": 8,
            "fusion_weight": 0.05,
            "contrast_weight": 0.2,
            "contrast": "grace",
            "feature_mask_rate": 0.25,
            "edge_rate": 0.1,
            "dropout": 0.3,
            "net_params": {"module__norm_first": False},
        },
    }
    _window = 5
    _search_space: dict = {
        "lr": Range(3e-5, 3e-3, log=True),
        "dropout": Range(0.2, 0.6),
        "fusion_size": Range(64, 256, step=64),
        "conv": ["mean", "rgcn", "attention"],
        "contrast_weight": Range(0.0, 0.5),
        "window_past": Range(1, 10),
        "window_future": Range(1, 10),
        "graph_layers": Range(1, 4),
        "fusion_weight": Range(0.02, 0.1),
        "augmentation_rate": Range(0.1, 0.3),
    }
    _parameter_constraints: dict = {
        **DialogueEstimator._parameter_constraints,
        "global_fusion": ["boolean"],
        "specific_fusion": ["boolean"],
        "fusion_size": [COUNT, None],
        "n_bases": [COUNT],
        "smoothing": [NOT_NEGATIVE],
        "context_layers": [COUNT],
        "heads": [COUNT],
        "context_window": [Interval(Integral, 1, 2**31, closed="left"), None],
        "hidden_size": [COUNT, None],
        "graph_layers": [COUNT],
        "conv": [StrOptions({"mean", "rgcn", "attention"}), type],
        "conv_params": [dict, None],
        "relations": [StrOptions({"speaker", "pairs"})],
        "window_past": WINDOW,
        "window_future": WINDOW,
        "dropout": [SHARE],
        "modality_dropout": [SHARE],
        "augmentation_rate": [SHARE],
        "feature_mask_rate": [SHARE, None],
        "edge_rate": [SHARE, None],
        "fusion_weight": [NOT_NEGATIVE],
        "contrast_weight": [NOT_NEGATIVE],
        "contrast": [StrOptions({"paper", "grace"})],
        "temperature": [POSITIVE],
        "batch_negatives": ["boolean"],
        "schedule": [StrOptions({"cosine"}), None],
        "training": [StrOptions({"joint", "two-phase"})],
    }

    def __init__(
        self,
        *,
        modalities: Modalities | None = None,
        global_fusion: bool = True,
        specific_fusion: bool = True,
        fusion_size: int | None = 128,
        n_bases: int = 64,
        smoothing: float = 0.2,
        context_layers: int = 1,
        heads: int = 8,
        context_window: int | None = 256,
        hidden_size: int | None = 128,
        graph_layers: int = 1,
        conv: str | type = "attention",
        conv_params: dict | None = None,
        relations: Literal["speaker", "pairs"] = "speaker",
        window_past: int | None = 6,
        window_future: int | None = 6,
        dropout: float = 0.5,
        modality_dropout: float = 0.0,
        augmentation_rate: float = 0.2,
        feature_mask_rate: float | None = None,
        edge_rate: float | None = None,
        fusion_weight: float = 0.06,
        contrast_weight: float = 0.3,
        contrast: Literal["paper", "grace"] = "paper",
        temperature: float = 0.2,
        batch_negatives: bool = False,
        training: Literal["joint", "two-phase"] = "joint",
        standardize: bool = True,
        partial_nan: Literal["mean", "error"] = "mean",
        optimizer: type = torch.optim.AdamW,
        lr: float = 3e-4,
        schedule: Literal["cosine"] | None = "cosine",
        weight_decay: float = 1e-2,
        batch_size: int | Literal["auto"] = "auto",
        max_epochs: int = 100,
        patience: int | Literal["auto"] | None = "auto",
        validation_fraction: float | None = None,
        callbacks: list | None = None,
        net_params: dict | None = None,
        device: str = "auto",
        checkpoint: FilePath | None = None,
        warm_start: bool = False,
        random_state: RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.modalities = modalities
        self.global_fusion = global_fusion
        self.specific_fusion = specific_fusion
        self.fusion_size = fusion_size
        self.n_bases = n_bases
        self.smoothing = smoothing
        self.context_layers = context_layers
        self.heads = heads
        self.context_window = context_window
        self.hidden_size = hidden_size
        self.graph_layers = graph_layers
        self.conv = conv
        self.conv_params = conv_params
        self.relations = relations
        self.window_past = window_past
        self.window_future = window_future
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.augmentation_rate = augmentation_rate
        self.feature_mask_rate = feature_mask_rate
        self.edge_rate = edge_rate
        self.fusion_weight = fusion_weight
        self.contrast_weight = contrast_weight
        self.contrast = contrast
        self.temperature = temperature
        self.batch_negatives = batch_negatives
        self.training = training
        self.standardize = standardize
        self.partial_nan = partial_nan
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.net_params = net_params
        self.device = device
        self.checkpoint = checkpoint
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def _network_and_loss(self) -> tuple[type[DialogueNetwork], type[DialogueLoss]]:
        from skmerc.nn.joyful import JoyfulLoss, JoyfulNetwork

        return JoyfulNetwork, JoyfulLoss

    def _callbacks(self, epochs: int | None = None) -> list:
        callbacks = super()._callbacks(epochs)
        if self.schedule is None or epochs:
            return callbacks
        from skorch.callbacks import LRScheduler

        falling = LRScheduler("CosineAnnealingLR", T_max=self.max_epochs)
        name = "schedule_of_skmerc" if "schedule" in names_of(callbacks) else "schedule"
        return [(name, falling), *callbacks]

    def _pretrain(self, net: "NeuralNet", training: DialogueDataset, seed: int) -> None:
        fuses = self.global_fusion or self.specific_fusion
        self.first_phase_loss_ = []
        if self.training == "two-phase" and fuses:
            epochs = -(-self.max_epochs // 2)
            self.first_phase_loss_ = train_fusion(
                net, training, epochs, seed=seed, name=type(self).__name__
            )

    def _take_over(self, net: "NeuralNet", optimizer: bool) -> None:
        super()._take_over(net, optimizer)
        net.module_.fusion.requires_grad_(self.training == "joint")
