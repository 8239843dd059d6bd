"""CBERL: class-balanced emotion recognition over a dialogue graph."""

from numbers import Integral

import torch
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skmerc.ensemble import FocalAdaBoostClassifier
from skmerc.nn.cberl import CBERLLoss, CBERLNetwork
from skmerc.recognition._dialogue_classifier import (
    COUNT,
    NOT_NEGATIVE,
    SHARE,
    DialogueClassifier,
)

_WINDOW = [Interval(Integral, -1, None, closed="left"), None]


class CBERLClassifier(DialogueClassifier):
    """TODO"""

    _parameter_constraints: dict = {
        **DialogueClassifier._parameter_constraints,
        "fusion": [StrOptions({"concat", "djvae"})],
        "fusion_weight": [NOT_NEGATIVE],
        "latent_size": [COUNT],
        "hidden_size": [COUNT],
        "lstm_layers": [COUNT],
        "graph_layers": [COUNT],
        "heads": [COUNT],
        "window_past": _WINDOW,
        "window_future": _WINDOW,
        "dropout": [SHARE],
        "modality_dropout": [SHARE],
        "mask": [StrOptions({"node", "neighbor", "class_aware"})],
        "mask_rate": [SHARE],
        "mask_exponent": [NOT_NEGATIVE],
        "reconstruction_weight": [NOT_NEGATIVE],
        "focal_gamma": [NOT_NEGATIVE],
        "label_smoothing": [SHARE],
    }

    def __init__(
        self,
        *,
        modalities=None,
        fusion="concat",
        fusion_weight=1.0,
        latent_size=128,
        hidden_size=128,
        lstm_layers=2,
        graph_layers=1,
        heads=4,
        window_past=10,
        window_future=10,
        dropout=0.4,
        modality_dropout=0.0,
        mask="node",
        mask_rate=0.3,
        mask_exponent=2.0,
        reconstruction_weight=0.5,
        focal_gamma=2.0,
        label_smoothing=0.0,
        class_weight=None,
        head=None,
        prior=None,
        standardize=True,
        partial_nan="mean",
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        weight_decay=1e-2,
        batch_size=16,
        max_epochs=60,
        patience=15,
        validation_fraction=0.1,
        callbacks=None,
        net_params=None,
        device="auto",
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.modalities = modalities
        self.fusion = fusion
        self.fusion_weight = fusion_weight
        self.latent_size = latent_size
        self.hidden_size = hidden_size
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
        self.head = head
        self.prior = prior
        self.standardize = standardize
        self.partial_nan = partial_nan
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.net_params = net_params
        self.device = device
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Train the network, then the head on its embeddings."""
        return self._fit(X, y, sample_weight)

    def _network(self, table):
        return CBERLNetwork, {
            "reader": self._reader_settings(table),
            "n_classes": len(self.classes_),
            "fusion": self.fusion,
            "latent_size": self.latent_size,
            "hidden_size": self.hidden_size,
            "lstm_layers": self.lstm_layers,
            "graph_layers": self.graph_layers,
            "heads": self.heads,
            "window_past": self.window_past,
            "window_future": self.window_future,
            "dropout": self.dropout,
            "mask": self.mask,
            "mask_rate": self.mask_rate,
            "mask_exponent": self.mask_exponent,
        }

    def _objective(self):
        return CBERLLoss, {
            "focal_gamma": self.focal_gamma,
            "reconstruction_weight": self.reconstruction_weight,
            "fusion_weight": self.fusion_weight,
            "label_smoothing": self.label_smoothing,
        }

    @staticmethod
    def _default_head():
        return FocalAdaBoostClassifier(n_estimators=10)
