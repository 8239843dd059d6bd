"""Shares of an answer along a straight path of features: integrated gradients."""

from typing import Any

import numpy as np
import torch

from skmerc._training import in_double
from skmerc._utils.seeding import undisturbed
from skmerc._utils.threads import threads_for
from skmerc._utils.warnings import in_silence
from skmerc.inspection._scene import Scene
from skmerc.recognition._base import DialogueEstimator
from skmerc.recognition._parts import Parts

_ROWS = 2000
"""Utterances whose gradients are computed at once."""


def integrate(parts: Parts, scene: Scene, target: int, n_steps: int) -> dict:
    """Tell the shares of each turn, speaker and modality, and the outcome at the mean.

    Parameters
    ----------
    parts : Parts
        The model.
    scene : Scene
        The dialogue.
    target : int
        Number of the class.
    n_steps : int
        Number of points on the path.
    """
    estimator = parts.last
    _check(estimator)
    table: Any = scene.table
    with in_silence():  # the answer has told it already
        for transformer in parts.transformers:
            table = transformer.transform(table)
        read = estimator._read(table)
    sequences = read.sequences()
    position = int(np.flatnonzero(sequences.rows == scene.at)[0])
    number = np.searchsorted(sequences.offsets, position, side="right") - 1
    rows = sequences.rows[sequences.offsets[number] : sequences.offsets[number + 1]]
    given = torch.from_numpy(read.features[rows].astype(np.float32)).double()
    speaker = torch.from_numpy(read.speaker[rows])
    at = int(np.flatnonzero(rows == scene.at)[0])
    with undisturbed(), threads_for(estimator.net_.module_):
        shares, baseline = _shares(estimator, given, speaker, at, target, n_steps)
    whole = np.zeros((len(scene.table), shares.shape[1]))
    whole[rows] = shares  # turns that the estimator does not see have none
    blocks = {name: whole[:, where] for name, where in read.blocks.items()}
    turns = whole.sum(axis=1)
    return {
        "turns": turns,
        "speakers": [turns[rows].sum() for rows in scene.positions_by_speaker.values()],
        "modalities": [block.sum() for block in blocks.values()],
        "own": [block[scene.at].sum() for block in blocks.values()],
        "names": list(blocks),
        "baseline": baseline,
        "words": None,
    }


def _check(estimator: Any) -> None:
    if not isinstance(estimator, DialogueEstimator):
        raise ValueError(
            f"{type(estimator).__name__} has no gradients; use method='occlusion'."
        )
    if estimator._answering != "logits":
        raise ValueError(
            f"The head {type(estimator.head_).__name__} answers in the place of the "
            "network, and has no gradients; use method='occlusion'."
        )


def _shares(
    estimator: Any,
    given: torch.Tensor,
    speaker: torch.Tensor,
    at: int,
    target: int,
    n_steps: int,
) -> tuple[np.ndarray, float]:
    network: Any = in_double(estimator.net_.module_)
    n_turns = len(given)
    mean = network.reader.standardize.mean
    # Gauss's points need fewer steps than even ones.
    rule = np.polynomial.legendre.leggauss(n_steps)
    points, weights = torch.from_numpy((rule[0] + 1) / 2), torch.from_numpy(rule[1] / 2)

    def outcomes(features: torch.Tensor) -> torch.Tensor:
        sequence = torch.arange(len(features) // n_turns).repeat_interleave(n_turns)
        people = speaker.repeat(len(features) // n_turns)
        logits = network(features, sequence, people).logits[at::n_turns]
        return _outcomes(estimator, logits, target)

    total = torch.zeros_like(given)
    at_once = max(1, _ROWS // n_turns)
    for share, weight in zip(
        points.split(at_once), weights.split(at_once), strict=True
    ):
        # What is missing is missing all along, since NaN stays NaN.
        path = mean + share[:, None, None] * (given - mean)
        path = path.flatten(0, 1).requires_grad_()
        outcome = (outcomes(path) * weight).sum()
        (gradient,) = torch.autograd.grad(outcome, path)
        total += gradient.unflatten(0, (-1, n_turns)).sum(dim=0)
    shares = torch.where(given.isnan(), 0.0, total * (given - mean))
    with torch.no_grad():
        start = torch.where(given.isnan(), given, mean)
        baseline = float(outcomes(start)[0])
    return shares.numpy(), baseline


def _outcomes(estimator: Any, logits: torch.Tensor, target: int) -> torch.Tensor:
    task = estimator._task
    if task.kind == "values":
        return task.mean + task.unit * logits[:, 0]
    shifted = logits + torch.as_tensor(estimator._prior_shift())
    if task.kind == "label_sets":
        return shifted[:, target].sigmoid()
    return shifted.softmax(dim=1)[:, target]
