"""Search spaces, and an Optuna objective over folds of dialogues."""

from skmerc.tuning._objective import DialogueObjective
from skmerc.tuning._spaces import param_distributions, search_space

__all__ = ["DialogueObjective", "param_distributions", "search_space"]
