"""Nets of skorch, and what trains them.

Estimators import this module when they are fitted: skorch and torch-geometric, which
skorch imports, take as long as all else together.
"""

from skmerc._training._checkpoint import Checkpoint
from skmerc._training._engine import make_net
from skmerc._training._interruption import train_net
from skmerc._training._parallel import check_parallel, without_accelerator
from skmerc._training._tasks import FitTasks

__all__ = [
    "Checkpoint",
    "FitTasks",
    "check_parallel",
    "make_net",
    "train_net",
    "without_accelerator",
]
