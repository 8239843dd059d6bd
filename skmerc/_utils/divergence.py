"""Training whose numbers leave the finite ones."""

import math

import numpy as np
import torch

from skmerc.exceptions import DivergenceError


def refuse_divergence(
    terms: dict[str, float],
    number: int,
    lr: float,
    network: torch.nn.Module | None = None,
    *,
    answers: torch.Tensor | None = None,
    standardized: bool | None = None,
) -> None:
    """Break training off after a pass that left something else than finite numbers.

    Parameters
    ----------
    terms : dict of str to float
        The loss of the pass, and what it is the sum of.
    number : int
        Number of the pass, from 1.
    lr : float
        The learning rate.
    network : Module, optional
        What was trained; its weights must be finite, too.
    answers : Tensor, optional
        What it gives for an example: weights that are finite may be too large.
    standardized : bool, optional
        Whether features were standardised, if the user can choose.

    Raises
    ------
    DivergenceError
        If there is no going on from there.
    """
    wrong = [f"the loss {n!r} is {v}" for n, v in terms.items() if not math.isfinite(v)]
    if not wrong and network is not None:
        wrong = [
            f"weights of {name!r} are no finite numbers"
            for name, weight in network.named_parameters()
            if not torch.isfinite(weight).all()
        ]
    if not wrong and answers is not None and not torch.isfinite(answers).all():
        wrong = ["what the network gives is no finite number"]
    if wrong:
        scales = "set standardize=True; or " if standardized is False else ""
        raise DivergenceError(
            f"Training diverged in pass {number}: {', '.join(wrong[:3])}. Look for "
            f"extreme values in X; {scales}lower the learning rate, which is lr={lr}."
        )


def refuse_infinite_answers(values: np.ndarray) -> None:
    """Refuse answers that are no numbers, which would pass for the first class.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_values)
        What a network gives for each row.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(rows):
        raise ValueError(
            f"The answer for row {rows[0]}, and {len(rows)} in all, is no finite "
            "number. Look for extreme values in X there; if there are none, training "
            "has left weights that are no numbers: fit again with a lower lr."
        )
