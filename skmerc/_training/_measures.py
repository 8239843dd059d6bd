"""How held-out utterances are scored while a net trains."""

import numpy as np

BEST_EPOCH = "valid_best_epoch"
"""Name in the history of the number of the best epoch so far."""


class Measure:
    """Base of what scores answers, and of what says which score decides when to stop.

    A subclass defines ``score(answers, target, weight)``, which returns a dict of what
    the history tells. Where scorers can read the answers it also turns them, and
    targets, into what users know: ``predict``, ``truth``, and ``predict_proba`` and
    ``classes`` of what has classes.
    """

    monitor = "valid_loss"
    """The score that decides when to stop."""
    lower_is_better = False
    """Whether it is an error."""
    output = "logits"
    """What of the network's output is scored."""
    readable = True
    """Whether scorers can read the answers."""
    parts: tuple = ()
    """Names of scores besides the loss and the one that decides."""

    def score(
        self, answers: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> dict[str, float]:
        """Score answers against targets."""
        raise NotImplementedError

    def is_constant(self, answers: np.ndarray) -> bool:
        """Whether all utterances get one answer, and it has a ``valid_loss``."""
        return False

    def is_lower_better(self, name: str) -> bool:
        """Whether a score that is written under a name is an error."""
        return self.lower_is_better or name == "valid_loss"

    def names(self, window: int) -> set[str]:
        """Return what is written into the history, of `window` epochs the mean too."""
        names = {"valid_loss", self.monitor, f"{self.monitor}_mean", *self.parts}
        names -= {f"{self.monitor}_mean"} if window == 1 else set()
        return names | {f"{name}_best" for name in names} | {BEST_EPOCH}
