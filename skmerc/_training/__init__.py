"""What every neural estimator shares, without the nets of skorch."""

from skmerc._training._batches import DialogueDataset, DialogueLoader
from skmerc._training._callbacks import (
    CallbackHolder,
    check_net_settings,
    runs_code_of_others,
)
from skmerc._training._history import summaries_of
from skmerc._training._inference import in_double, infer
from skmerc._training._measures import Measure
from skmerc._training._phases import train_fusion
from skmerc._training._split import FRACTION, hold_out
from skmerc._training._standardize import (
    Moments,
    check_partial_missing,
    fit_standardize,
    fit_standardize_on_real,
    warn_of_nearly_constant,
    warn_of_values_never_seen,
)
from skmerc._training._stored import NetworkHolder
from skmerc._training._weights import check_weight, refuse_nothing_to_learn
from skmerc._utils.device import resolve_device
from skmerc._utils.random import redirected
from skmerc._utils.seeding import draw_seed, drawing, seeded
from skmerc.nn.standardize import Standardize

__all__ = [
    "FRACTION",
    "CallbackHolder",
    "DialogueDataset",
    "DialogueLoader",
    "Measure",
    "Moments",
    "NetworkHolder",
    "Standardize",
    "check_net_settings",
    "check_partial_missing",
    "check_weight",
    "draw_seed",
    "drawing",
    "fit_standardize",
    "fit_standardize_on_real",
    "hold_out",
    "in_double",
    "infer",
    "redirected",
    "refuse_nothing_to_learn",
    "resolve_device",
    "runs_code_of_others",
    "seeded",
    "summaries_of",
    "train_fusion",
    "warn_of_nearly_constant",
    "warn_of_values_never_seen",
]
