"""Weights of the rows, as networks can compute with them."""

import numpy as np
from numpy.typing import ArrayLike

from skmerc._utils.compat import check_sample_weight
from skmerc.frame._numbers import refuse_masked

LEAST, MOST = 1e-30, 1e30


def check_weight(sample_weight: ArrayLike | None, features: np.ndarray) -> np.ndarray:
    """Check the weights of the rows of a table, and return them in double precision.

    What vanishes or overflows in float32 is refused, and what is masked.
    """
    refuse_masked(sample_weight, "sample_weight", fill="0")
    weight = check_sample_weight(
        sample_weight, features, dtype=np.float64, ensure_non_negative=True
    )
    largest = weight.max()
    if largest != 0 and not LEAST <= largest <= MOST:
        raise ValueError(
            f"sample_weight is {largest} in row {weight.argmax()}, and networks "
            "compute in float32: bring the largest weight between "
            f"{LEAST} and {MOST}."
        )
    return weight


def refuse_nothing_to_learn(rows: np.ndarray) -> None:
    """Refuse a fit that no row is left for."""
    if not len(rows):
        raise ValueError(
            "No row is left to learn from: all are context, held out for "
            "validation, or of sample weight 0."
        )
