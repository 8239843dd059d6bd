"""Weights of the rows, as networks can compute with them."""

import numpy as np
from numpy.typing import ArrayLike

from skmerc._utils.compat import check_sample_weight
from skmerc.frame._numbers import refuse_masked

LEAST, MOST = 1e-30, 1e30


def check_weight(
    sample_weight: ArrayLike | None,
    features: np.ndarray,
    is_synthetic: np.ndarray | None = None,
) -> np.ndarray:
    """Check the weights of the rows of a table, and return them in double precision.

    What vanishes or overflows in float32 is refused, and what is masked, and what a
    sampler has left without the weights of the rows that it made.
    """
    refuse_masked(sample_weight, "sample_weight", fill="0")
    _refuse_before_sampler(sample_weight, is_synthetic)
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


def _refuse_before_sampler(
    weight: ArrayLike | None, is_synthetic: np.ndarray | None
) -> None:
    if weight is None or is_synthetic is None or not is_synthetic.any():
        return
    if np.shape(weight) == ((~is_synthetic).sum(),):
        raise ValueError(
            f"sample_weight has {np.size(weight)} rows, and X has {len(is_synthetic)}, "
            f"of which a sampler has made {is_synthetic.sum()}. Weights do not pass a "
            "sampler; leave them or the sampler out, or take class_weight."
        )


def refuse_nothing_to_learn(rows: np.ndarray) -> None:
    """Refuse a fit that no row is left for."""
    if not len(rows):
        raise ValueError(
            "No row is left to learn from: all are context, held out for "
            "validation, or of sample weight 0."
        )
