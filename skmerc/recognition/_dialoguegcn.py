"""DialogueGCN's classifier: context, a graph of speakers, attention."""

from typing import Any, Literal

import torch

from skmerc._utils.compat import StrOptions
from skmerc._utils.registry import Range, storable
from skmerc._utils.types import FilePath, Modalities, RandomState
from skmerc.nn.base import DialogueLoss, DialogueNetwork
from skmerc.recognition._base import (
    COUNT,
    NOT_NEGATIVE,
    SHARE,
    WINDOW,
    DialogueEstimator,
)
from skmerc.recognition._classifier import DialogueClassifierMixin
from skmerc.recognition._docstrings import SHARED, filled


@storable
@filled(**SHARED)
class DialogueGCNClassifier(DialogueClassifierMixin, DialogueEstimator):
    """Recognise emotions by a graph of who speaks to whom, and when.

    DialogueGCN [1]_: the utterances of a dialogue pass a bidirectional GRU, and two
    graph convolutions over a window, whose relations are pairs of speakers, in two
    directions. Each utterance then looks at the whole dialogue, and what it sees is
    classified. It is the baseline of the field's graph networks, for comparison: on
    IEMOCAP it stands behind a plain Bi-GRU; see the page of results.

    Parameters
    ----------
    {modalities}
    hidden_size : int, default=100
        Width of the graph, and per direction of the GRU; 100 in the paper's code.
    context_layers : int, default=2
        Depth of the GRU; 2 in the paper's code.
    relations : {{"pairs", "speaker"}}, default="pairs"
        What an edge knows of speakers, besides its direction: which of the speakers
        of the first fit talks to which, as in the paper, or whether they are the
        same. Time and memory of "pairs" grow with the square of the most speakers in
        a dialogue.
    n_bases : int, default=30
        Bases that the transformations of all relations share; 30 in the paper's code.
    window_past, window_future : int or None, default=10
        Number of utterances before and after that an utterance listens to in the
        graph; None or -1 for the whole dialogue. 10 is the paper's.
    dropout : float, default=0.4
        Dropout of features, between layers, and before answers.
    modality_dropout : float, default=0.0
        Probability that a modality of an utterance is hidden in training.
    focal_gamma : float, default=0.0
        Focus of the focal loss; 0 is cross-entropy, as in the paper.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes.
    {classes}
    head : {{"boost"}}, estimator or None, default=None
        What answers: the last layer of the network (None), or a classifier on its
        embeddings; see :class:`CBERLClassifier`.
    prior : {{"train", "uniform"}}, dict or None, default=None
        Class shares to correct the probabilities to, by logit adjustment; see
        :class:`CBERLClassifier`.
    {reading}
    optimizer : type, default=torch.optim.AdamW
        Class of the optimiser.
    lr : float, default=1e-3
        Learning rate.
    weight_decay : float, default=1e-2
        Weight decay.
    {average}
    {training}
    {validation}
    net_params : dict or None, default=None
        Anything else that a skorch net takes, and an ``accelerator`` for training in
        several processes.
    {run}
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches, dropout and the inner split.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The emotions.
    class_prior_ : ndarray of shape (n_classes,)
        Their shares among the real training utterances.
    net_ : skorch.NeuralNet
        The fitted net; its module is a
        :class:`skmerc.nn.dialoguegcn.DialogueGCNNetwork`.
    head_ : estimator or None
        The fitted head.
    history_ : list of dict
        One entry per epoch: every term of the loss, and loss and weighted F1 of
        the validation dialogues.
    n_iter_ : int
        Number of epochs run.
    n_features_in_ : int
        Number of feature columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names.

    See Also
    --------
    CBERLClassifier : For rare emotions.
    JoyfulClassifier : Fuses modalities in their dialogue, and for live use.

    Notes
    -----
    The GRU and the attention read the whole dialogue, so that answers change as a
    conversation goes on, whatever the window is. The defaults of training are those
    of :class:`CBERLClassifier`. ``DialogueGCNClassifier.from_preset("released")`` has
    the rate, dropout and batches of the command that its authors give for IEMOCAP.

    References
    ----------
    .. [1] D. Ghosal, N. Majumder, S. Poria, N. Chhaya, A. Gelbukh, "DialogueGCN: A
       graph convolutional neural network for emotion recognition in conversation",
       EMNLP 2019.
    {rivals}

    Examples
    --------
    >>> from skmerc import DialogueGCNClassifier
    >>> from skmerc.datasets import make_conversations
    >>> X, y = make_conversations(n_dialogues=12, random_state=0)
    >>> model = DialogueGCNClassifier(hidden_size=8, max_epochs=2, random_state=0)
    >>> model.fit(X, y).predict_proba(X).shape == (len(X), len(model.classes_))
    True
    """

    _presets: dict = {
        "released": {
            "optimizer": torch.optim.Adam,
            "class_weight": "balanced",
            "dropout": 0.4,
            "lr": 3e-4,
            "weight_decay": 0.0,
            "ema_decay": 0.0,
            "batch_size": 32,
            "max_epochs": 60,
            "patience": None,
        }
    }
    _search_space: dict = {
        "lr": Range(1e-4, 3e-3, log=True),
        "dropout": Range(0.2, 0.6),
        "hidden_size": Range(50, 150, step=25),
        "batch_size": ["auto", 4, 8, 16, 32],
        "window_past": Range(5, 20),
        "window_future": Range(5, 20),
        "focal_gamma": Range(0.0, 3.0),
    }
    _parameter_constraints: dict = {
        **DialogueEstimator._parameter_constraints,
        **DialogueClassifierMixin._parameter_constraints,
        "hidden_size": [COUNT],
        "context_layers": [COUNT],
        "relations": [StrOptions({"pairs", "speaker"})],
        "n_bases": [COUNT],
        "window_past": WINDOW,
        "window_future": WINDOW,
        "dropout": [SHARE],
        "modality_dropout": [SHARE],
        "focal_gamma": [NOT_NEGATIVE],
        "label_smoothing": [SHARE],
        "ema_decay": [SHARE],
    }

    def __init__(
        self,
        *,
        modalities: Modalities | None = None,
        hidden_size: int = 100,
        context_layers: int = 2,
        relations: Literal["pairs", "speaker"] = "pairs",
        n_bases: int = 30,
        window_past: int | None = 10,
        window_future: int | None = 10,
        dropout: float = 0.4,
        modality_dropout: float = 0.0,
        focal_gamma: float = 0.0,
        label_smoothing: float = 0.0,
        class_weight: dict | str | tuple | None = None,
        logit_adjustment: float = 0.0,
        head: Any = None,
        prior: dict | Literal["train", "uniform"] | None = None,
        standardize: bool = True,
        partial_nan: Literal["mean", "error"] = "mean",
        optimizer: type = torch.optim.AdamW,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        ema_decay: float = 0.98,
        batch_size: int | Literal["auto"] = "auto",
        max_epochs: int = 60,
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
        self.hidden_size = hidden_size
        self.context_layers = context_layers
        self.relations = relations
        self.n_bases = n_bases
        self.window_past = window_past
        self.window_future = window_future
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.focal_gamma = focal_gamma
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.logit_adjustment = logit_adjustment
        self.head = head
        self.prior = prior
        self.standardize = standardize
        self.partial_nan = partial_nan
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.ema_decay = ema_decay
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
        from skmerc.nn.dialoguegcn import DialogueGCNLoss, DialogueGCNNetwork

        return DialogueGCNNetwork, DialogueGCNLoss
