"""CBERL's classifier: context, masked dialogue graph, focal loss, boosting head."""

from numbers import Integral
from typing import Any, Literal

import torch

from skmerc._utils.compat import Interval, StrOptions
from skmerc._utils.locks import IMPORTING
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
class CBERLClassifier(DialogueClassifierMixin, DialogueEstimator):
    """Recognise emotions with context, a masked dialogue graph and a focal loss.

    The classifier of CBERL [1]_: the utterances of a dialogue pass a Bi-LSTM and a
    graph network with attention, whose edges know who speaks and in which
    direction. A second task, restoring utterances that were hidden from the graph,
    keeps it from leaning on majority classes. The published text names the parts
    but not their equations; those used here are given by the classes in
    ``skmerc.nn`` and ``skmerc.graph``, and every part can be switched off.

    Parameters
    ----------
    {modalities}
    fusion : {{"concat", "djvae", "djvae_latent"}}, default="concat"
        What of an utterance goes on: its modalities side by side; these and the code
        of a joint variational autoencoder that is trained along (CBERL's DJVAE); or
        the code alone, as in the paper. After a :class:`DJVAEFuser` in a pipeline,
        ``"concat"`` takes what it gives.
    fusion_weight : float, default=1.0
        Factor on the variational loss.
    latent_size : int, default=128
        Width of the variational code.
    beta : float, default=0.003
        Weight of the code's divergence from the prior in the variational loss; the
        default is that of :class:`DJVAEFuser`, which tells what larger ones do.
    gamma : float, default=0.0003
        Weight of its divergence from the posteriors given one modality, as there.
    posterior : {{"joint", "poe"}}, default="joint"
        Posterior of the code: a layer over the encodings of all modalities, or a
        product of unimodal experts and the prior [4]_.
    warmup_epochs : int, default=0
        Epochs over which both divergences grow linearly to their weights [5]_; 0 for
        full weights from the first epoch on.
    hidden_size : int, default=64
        Width per direction of the Bi-LSTM.
    bidirectional : bool, default=True
        Whether the context is a Bi-LSTM, which hears the whole dialogue, or an LSTM of
        twice the width, which hears what was said before. With False and
        ``window_future=0`` no answer looks ahead, so that a conversation can be
        followed while it goes on.
    lstm_layers : int, default=2
        Depth of the Bi-LSTM; 0 leaves it out.
    graph_layers : int, default=1
        Depth of the graph network; 0 leaves it out.
    heads : int, default=4
        Attention heads of the graph; must divide ``2 * hidden_size``.
    window_past, window_future : int or None, default=10
        Number of utterances before and after that an utterance listens to; None or
        -1 for the whole dialogue. 10 is DialogueGCN's. ``window_future=0`` keeps the
        graph from looking ahead, and the context with ``bidirectional=False`` only.
    dropout : float, default=0.4
        Dropout before every layer.
    modality_dropout : float, default=0.0
        Probability that a modality of an utterance is hidden in training; raises
        scores where modalities will be missing.
    mask : {{"node", "neighbor", "class_aware"}}, default="node"
        What the second task hides: the features of utterances, the utterances as
        senders of messages (the paper's words), or features of utterances drawn
        in proportion to the frequency of their class.
    mask_rate : float, default=0.3
        Share of a dialogue's utterances that is hidden; 0 switches the task off.
    mask_exponent : float, default=2.0
        Power of the scaled cosine error of the restored utterances.
    reconstruction_weight : float, default=0.5
        Factor on that error.
    focal_gamma : float, default=2.0
        Focus of the focal loss; 0 is cross-entropy.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes.
    {classes}
    head : {{"boost"}}, estimator or None, default=None
        What answers: the softmax layer of the network (None), logistic regressions
        in a :class:`FocalAdaBoostClassifier` on its embeddings ("boost", the paper's
        choice; its probabilities are those of SAMME, less sure than they are right),
        or any classifier with ``predict_proba``, which must take ``sample_weight``
        where utterances weigh differently. The dialogues that decide
        when to stop choose the penalty of the logistic regressions by the weighted F1,
        since the network has fitted the embeddings of all others to their emotions;
        without any it is a middling one.
    prior : {{"train", "uniform"}}, dict or None, default=None
        Class shares to correct the probabilities to after training [2]_:
        those of the real training utterances, even ones, or given ones (none for a
        class that is not named). Over-sampling, class weights and `logit_adjustment`
        shift them; None leaves them as trained.
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
        Seed of weights, batches, dropout, masks and the inner split.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The emotions.
    class_prior_ : ndarray of shape (n_classes,)
        Their shares among the real training utterances.
    net_ : skorch.NeuralNet
        The fitted net; its module is a :class:`skmerc.nn.cberl.CBERLNetwork`.
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
    skmerc.recognition.make_cberl : The whole pipeline in one call.
    MultimodalGANSampler : Generates utterances of rare emotions.
    DJVAEFuser : Fuses modalities before the classifier.

    Notes
    -----
    A synthetic utterance is trained in a copy of its dialogue in which it stands in
    the place of its source, with loss on it alone: real utterances never see a
    synthetic neighbour. Synthetic utterances are not restored in the second task, whose
    target is the context of an utterance before dropout. All defaults are ours, chosen
    on validation dialogues.

    ``CBERLClassifier.from_preset("paper")`` has the data flow of CBERL: the code of
    the autoencoder alone goes on, its divergences warm up, and a boosting head
    answers. Learning rate, batch size and epochs are those of its authors' other
    code, since CBERL's own are not published, and neither are the weights of the
    divergences, which stay as by default (see :class:`DJVAEFuser`).
    :func:`skmerc.recognition.make_cberl` makes the whole pipeline.

    References
    ----------
    .. [1] T. Meng et al., "Deep imbalanced learning for multimodal emotion
       recognition in conversations", arXiv 2312.06337.
    {rivals}
    .. [4] M. Wu, N. Goodman, "Multimodal generative models for scalable
       weakly-supervised learning", NeurIPS 2018.
    .. [5] S. R. Bowman et al., "Generating sentences from a continuous space",
       CoNLL 2016.

    Examples
    --------
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.datasets import make_conversations
    >>> X, y = make_conversations(n_dialogues=12, random_state=0)
    >>> model = CBERLClassifier(hidden_size=8, max_epochs=2, random_state=0)
    >>> model.fit(X, y).predict_proba(X).shape == (len(X), len(model.classes_))
    True
    """

    _presets: dict = {
        "paper": {
            "fusion": "djvae_latent",
            "warmup_epochs": 10,
            "hidden_size": 128,
            "dropout": 0.5,
            "graph_layers": 2,
            "focal_gamma": 2.0,
            "head": "boost",
            "optimizer": torch.optim.Adam,
            "lr": 1e-4,
            "weight_decay": 1e-5,
            "ema_decay": 0.0,
            "batch_size": 32,
            "max_epochs": 60,
            "patience": None,
        }
    }
    _search_space: dict = {
        "lr": Range(1e-4, 3e-3, log=True),
        "dropout": Range(0.2, 0.6),
        "hidden_size": Range(32, 128, step=32),
        "batch_size": ["auto", 4, 8, 16, 32],
        "focal_gamma": Range(0.0, 3.0),
        "graph_layers": Range(1, 2),
        "mask_rate": Range(0.1, 0.75),
        "reconstruction_weight": Range(0.0, 1.0),
    }
    _parameter_constraints: dict = {
        **DialogueEstimator._parameter_constraints,
        **DialogueClassifierMixin._parameter_constraints,
        "fusion": [StrOptions({"concat", "djvae", "djvae_latent"})],
        "fusion_weight": [NOT_NEGATIVE],
        "latent_size": [COUNT],
        "beta": [NOT_NEGATIVE],
        "gamma": [NOT_NEGATIVE],
        "posterior": [StrOptions({"joint", "poe"})],
        "warmup_epochs": [Interval(Integral, 0, None, closed="left")],
        "hidden_size": [COUNT],
        "bidirectional": ["boolean"],
        "lstm_layers": [Interval(Integral, 0, None, closed="left")],
        "graph_layers": [Interval(Integral, 0, None, closed="left")],
        "heads": [COUNT],
        "window_past": WINDOW,
        "window_future": WINDOW,
        "dropout": [SHARE],
        "modality_dropout": [SHARE],
        "mask": [StrOptions({"node", "neighbor", "class_aware"})],
        "mask_rate": [SHARE],
        "mask_exponent": [NOT_NEGATIVE],
        "reconstruction_weight": [NOT_NEGATIVE],
        "focal_gamma": [NOT_NEGATIVE],
        "label_smoothing": [SHARE],
        "ema_decay": [SHARE],
    }

    def __init__(
        self,
        *,
        modalities: Modalities | None = None,
        fusion: Literal["concat", "djvae", "djvae_latent"] = "concat",
        fusion_weight: float = 1.0,
        latent_size: int = 128,
        beta: float = 0.003,
        gamma: float = 0.0003,
        posterior: Literal["joint", "poe"] = "joint",
        warmup_epochs: int = 0,
        hidden_size: int = 64,
        bidirectional: bool = True,
        lstm_layers: int = 2,
        graph_layers: int = 1,
        heads: int = 4,
        window_past: int | None = 10,
        window_future: int | None = 10,
        dropout: float = 0.4,
        modality_dropout: float = 0.0,
        mask: Literal["node", "neighbor", "class_aware"] = "node",
        mask_rate: float = 0.3,
        mask_exponent: float = 2.0,
        reconstruction_weight: float = 0.5,
        focal_gamma: float = 2.0,
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
        self.fusion = fusion
        self.fusion_weight = fusion_weight
        self.latent_size = latent_size
        self.beta = beta
        self.gamma = gamma
        self.posterior = posterior
        self.warmup_epochs = warmup_epochs
        self.hidden_size = hidden_size
        self.bidirectional = bidirectional
        self.lstm_layers = lstm_layers
        self.graph_layers = graph_layers
        self.heads = heads
        self.window_past = window_past
        self.window_future = window_future
        self.dropout = dropout
        self.modality_dropout = modality_dropout
        self.mask = mask
        self.mask_rate = mask_rate
        self.mask_exponent = mask_exponent
        self.reconstruction_weight = reconstruction_weight
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
        from skmerc.nn.cberl import CBERLLoss, CBERLNetwork

        return CBERLNetwork, CBERLLoss

    def _callbacks(self, epochs: int | None = None) -> list:
        callbacks = super()._callbacks(epochs)
        if self.fusion == "concat":
            return callbacks
        with IMPORTING:
            from skmerc.fusion._warm_up import WarmUp

        done = getattr(self, "n_iter_", 0) if epochs else 0
        return [WarmUp(self.warmup_epochs, self.beta, done), *callbacks]
