"""What every neural estimator shares."""

from skmerc._device import resolve_device
from skmerc._seeding import draw_seed, seeded
from skmerc._training._batches import DialogueDataset, DialogueLoader
from skmerc._training._checkpoint import Checkpoint
from skmerc._training._engine import infer, make_net
from skmerc._training._files import write_atomically
from skmerc._training._interruption import (
    drop_unfinished_epoch,
    warn_of_interruption,
)
from skmerc._training._measures import CLASSES, LABEL_SETS, values_in_units_of
from skmerc._training._parallel import check_parallel, without_accelerator
from skmerc._training._phases import train_fusion
from skmerc._training._split import hold_out
from skmerc._training._standardize import (
    Moments,
    check_partial_missing,
    fit_standardize,
    fit_standardize_on_real,
)
from skmerc._training._stored import NetworkHolder
from skmerc._training._weights import check_weight
from skmerc.nn.standardize import Standardize

__all__ = [
    "CLASSES",
    "LABEL_SETS",
    "Checkpoint",
    "DialogueDataset",
    "DialogueLoader",
    "Moments",
    "NetworkHolder",
    "Standardize",
    "check_parallel",
    "check_partial_missing",
    "check_weight",
    "draw_seed",
    "drop_unfinished_epoch",
    "fit_standardize",
    "fit_standardize_on_real",
    "hold_out",
    "infer",
    "make_net",
    "resolve_device",
    "seeded",
    "train_fusion",
    "values_in_units_of",
    "warn_of_interruption",
    "without_accelerator",
    "write_atomically",
]
