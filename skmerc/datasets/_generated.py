"""Artificial conversations whose best attainable accuracy is known."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import helmert
from scipy.special import softmax
from sklearn.utils import Bunch, check_random_state

from skmerc._utils.compat import Interval, validate_params
from skmerc._utils.types import RandomState
from skmerc.datasets._emotion_chain import Talk
from skmerc.frame import make_frame

EMOTIONS = ("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust")
DEFAULT_WIDTHS = {"text": 16, "audio": 8, "visual": 8}

_MAX_STATES = 20_000


@validate_params(
    {
        "n_dialogues": [Interval(Integral, 1, None, closed="left")],
        "n_turns": [Interval(Integral, 1, None, closed="left"), tuple, list],
        "n_speakers": [Interval(Integral, 1, 26, closed="both")],
        "n_classes": [Interval(Integral, 2, None, closed="left")],
        "imbalance": [Interval(Real, 1, None, closed="left"), "array-like"],
        "inertia": [Interval(Real, 0, 1, closed="both")],
        "contagion": [Interval(Real, 0, 1, closed="both")],
        "modalities": [dict, None],
        "information": [Interval(Real, 0, None, closed="left"), dict],
        "redundancy": [Interval(Real, 0, 1, closed="left")],
        "missing": [Interval(Real, 0, 1, closed="both"), dict],
        "return_ceiling": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_conversations(
    n_dialogues: int = 100,
    *,
    n_turns: int | tuple[int, int] = (8, 24),
    n_speakers: int = 2,
    n_classes: int = 4,
    imbalance: float | ArrayLike = 3.0,
    inertia: float = 0.5,
    contagion: float = 0.4,
    modalities: Mapping[str, int] | None = None,
    information: float | Mapping[str, float] = 1.5,
    redundancy: float = 0.3,
    missing: float | Mapping[str, float] = 0.0,
    return_ceiling: bool = False,
    random_state: RandomState = None,
) -> Any:
    """Generate conversations in which the emotions of the turns hang together.

    A speaker keeps the emotion of the own last utterance with probability
    `inertia`, takes over that of the last other speaker with probability
    `contagion`, and draws a new one from the class priors otherwise; where
    there is no such utterance yet, its share goes to the new draw. Every
    utterance therefore follows the priors, whatever its turn, and what a
    conversation tells beyond the single utterance is known exactly.

    Features are Gaussian with unit variance around class means that are
    equally far apart, in random directions of each modality.

    Parameters
    ----------
    n_dialogues : int, default=100
        Number of dialogues.
    n_turns : int or tuple of two int, default=(8, 24)
        Utterances of a dialogue, or the least and the greatest number of them.
    n_speakers : int, default=2
        Speakers of a dialogue, called ``"A"``, ``"B"`` and so on. The floor
        goes to somebody else after eight turns of ten. At most 26.
    n_classes : int, default=4
        Number of emotions.
    imbalance : float or array-like of shape (n_classes,), default=3.0
        How many times more frequent the first class is than the last one, the
        others falling geometrically between them; 1 gives balanced classes.
        Or the class weights themselves, which are divided by their sum.
    inertia : float in [0, 1], default=0.5
        Probability that a speaker keeps the own last emotion.
    contagion : float in [0, 1], default=0.4
        Probability that a speaker takes over the emotion of the last utterance
        of somebody else. `inertia` and `contagion` sum to 1 at most.
    modalities : dict of str to int, default=None
        Number of features of each modality;
        ``{"text": 16, "audio": 8, "visual": 8}`` if None.
    information : float or dict of str to float, default=1.5
        Distance between two class means of a modality, in standard deviations
        of the noise. A modality narrower than ``n_classes - 1`` cannot hold
        the classes equally far apart and tells less.
    redundancy : float in [0, 1), default=0.3
        Share of noise that the modalities have in common. At 0 they are
        independent given the class; towards 1 all of them together tell no
        more than the most informative one.
    missing : float or dict of str to float, default=0.0
        Share of the utterances in which a modality is NaN throughout, at
        random and independently of the other modalities: an utterance can
        lack all of them.
    return_ceiling : bool, default=False
        Whether to return the best attainable accuracies too.
    random_state : int, RandomState instance or None, default=None
        Seed of the generator.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 4 + n_features)
        Keyed table, see :func:`skmerc.frame.make_frame`; the dialogues are
        called ``"dia0"``, ``"dia1"`` and so on.
    y : ndarray of str of shape (n_utterances,)
        Emotion of each utterance.
    ceiling : Bunch
        Only with ``return_ceiling=True``. What somebody who knows the true
        parameters of the generator attains on these features:

        with_context : float
            Expected accuracy given the whole dialogue (forward-backward over
            the last emotions of its speakers).
        without_context : float
            Expected accuracy given the utterance alone.
        posterior_with_context, posterior_without_context : ndarray of shape \
(n_utterances, n_classes)
            The class probabilities behind them.
        classes : ndarray of str of shape (n_classes,)
            Their columns, the most frequent class first.
        priors : ndarray of shape (n_classes,)
            Class probabilities.

    Raises
    ------
    ValueError
        If the parameters contradict each other, or the ceiling would need
        more than 20 000 states, which are ``n_classes ** n_speakers``.

    See Also
    --------
    load_table : Read conversations from a file.

    Notes
    -----
    The class means are drawn first: the same seed gives the same ones for any
    number of dialogues and any chain of emotions.

    With the defaults, 100 dialogues to learn from and 300 to test on, somebody
    who knows the generator is right in about 90 % of the utterances with
    context and 71 % without; a logistic regression reaches 70 %, a
    bidirectional GRU 87 %.

    Examples
    --------
    >>> from skmerc.datasets import make_conversations
    >>> X, y, ceiling = make_conversations(20, return_ceiling=True, random_state=0)
    >>> list(X.columns[:4]), X["dialogue__id"].nunique()
    (['dialogue__id', 'dialogue__turn', 'dialogue__speaker', 'dialogue__role'], 20)
    >>> ceiling.with_context > ceiling.without_context + 0.1
    True
    """
    rng = check_random_state(random_state)
    widths = DEFAULT_WIDTHS if modalities is None else modalities
    information = _per_modality("information", information, widths, upper=np.inf)
    missing = _per_modality("missing", missing, widths, upper=1)
    priors = _priors(imbalance, n_classes)
    _check_chain(inertia, contagion, n_classes**n_speakers, return_ceiling)

    world = _Features(widths, information, redundancy, n_classes, rng)
    talk = Talk(n_dialogues, _turn_range(n_turns), n_speakers, rng)
    codes = talk.draw_emotions(priors, inertia, contagion, rng)
    values = world.draw(codes, missing, rng)

    classes = _class_names(n_classes)
    dialogue = np.repeat([f"dia{i}" for i in range(n_dialogues)], talk.lengths)
    X = make_frame(
        {name: values[:, where] for name, where in world.columns.items()},
        dialogue=dialogue,
        turn=talk.turns,
        speaker=np.array([chr(ord("A") + s) for s in range(n_speakers)])[talk.rows],
    )
    if not return_ceiling:
        return X, classes[codes]
    log_likelihood = world.log_likelihood(values)
    alone = softmax(log_likelihood + np.log(priors), axis=1)
    together = talk.posterior(log_likelihood, priors, inertia, contagion)
    ceiling = Bunch(
        with_context=float(together.max(axis=1).mean()),
        without_context=float(alone.max(axis=1).mean()),
        posterior_with_context=together,
        posterior_without_context=alone,
        classes=classes,
        priors=priors,
    )
    return X, classes[codes], ceiling


def _per_modality(name, value, widths, upper):
    if not widths or any(
        not isinstance(width, Integral) or width < 1 for width in widths.values()
    ):
        raise ValueError(
            f"modalities={widths!r}: give at least one modality, each with a positive "
            "number of features."
        )
    values = value if isinstance(value, dict) else dict.fromkeys(widths, value)
    if set(values) != set(widths):
        raise ValueError(
            f"{name} names the modalities {sorted(values)}, but there are "
            f"{sorted(widths)}; give one number for each."
        )
    for modality, number in values.items():
        if not 0 <= number <= upper or number == np.inf:
            raise ValueError(
                f"{name}={number!r} of modality {modality!r} is out of range; give a "
                f"number {'from 0 to 1' if upper == 1 else 'of at least 0'}."
            )
    return values


def _priors(imbalance, n_classes):
    if isinstance(imbalance, Real):
        weights = float(imbalance) ** -np.linspace(0, 1, n_classes)
    else:
        weights = np.asarray(imbalance, dtype=float)
    if weights.shape != (n_classes,) or not np.all(weights > 0):
        raise ValueError(
            f"imbalance={imbalance!r}: give one number of at least 1, or n_classes="
            f"{n_classes} positive class weights."
        )
    return weights / weights.sum()


def _turn_range(n_turns):
    bounds = (n_turns, n_turns) if isinstance(n_turns, Integral) else tuple(n_turns)
    whole = all(isinstance(bound, Integral) for bound in bounds)
    if len(bounds) != 2 or not whole or not 1 <= bounds[0] <= bounds[1]:
        raise ValueError(
            f"n_turns={n_turns!r}: give a positive whole number, or the least and the "
            "greatest number of turns in this order."
        )
    return bounds


def _check_chain(inertia, contagion, n_states, return_ceiling):
    if inertia + contagion > 1 + 1e-12:
        raise ValueError(
            f"inertia={inertia} and contagion={contagion} are probabilities of the "
            "same draw and sum to 1 at most; lower one of them."
        )
    if return_ceiling and n_states > _MAX_STATES:
        raise ValueError(
            f"The ceiling needs n_classes ** n_speakers = {n_states} states and is "
            f"computed for {_MAX_STATES} at most; lower one of them or leave "
            "return_ceiling off."
        )


def _class_names(n_classes):
    more = (f"emotion{i}" for i in range(len(EMOTIONS), n_classes))
    return np.array([*EMOTIONS[:n_classes], *more])


class _Features:
    """Gaussian features around class means, with one covariance for all classes.

    In the directions that tell the classes apart, the modalities look at one
    common copy of the class code that is blurred already (`redundancy`) and
    add noise of their own up to unit variance.

    Sums are made in one order, and no axes are left for a library to choose, so
    that a seed gives the same table on every processor.
    """

    def __init__(self, widths, information, redundancy, n_classes, rng):
        edges = np.cumsum([0, *widths.values()])
        self.columns = {name: slice(*edges[i : i + 2]) for i, name in enumerate(widths)}
        separation = np.array([information[name] for name in widths], dtype=float)
        blurred = redundancy * (separation / (separation.max() or 1.0)) ** 2
        self.directions = [
            _semi_orthogonal(n_classes - 1, width, rng) for width in widths.values()
        ]
        # One apart from each other, in n_classes - 1 dimensions.
        code = helmert(n_classes).T / np.sqrt(2)
        self.means = np.hstack(
            [
                s * _product(code, d)
                for s, d in zip(separation, self.directions, strict=True)
            ]
        )
        self.common = np.hstack(
            [b**0.5 * d for b, d in zip(blurred, self.directions, strict=True)]
        )
        self.own = 1 - np.sqrt(1 - blurred)
        self.covariance = self._covariance()

    def _covariance(self):
        covariance = self.common.T @ self.common
        for where in self.columns.values():
            covariance[where, where] = np.eye(where.stop - where.start)
        return covariance

    def draw(self, codes, missing, rng):
        blur = rng.standard_normal((len(codes), len(self.common)))
        values = rng.standard_normal((len(codes), len(self.covariance)))
        for where, d, own in zip(
            self.columns.values(), self.directions, self.own, strict=True
        ):
            # The root of what the common part leaves of the unit variance.
            values[:, where] -= own * _product(_product(values[:, where], d.T), d)
        values += self.means[codes] + _product(blur, self.common)
        for name, where in self.columns.items():
            n_missing = round(missing[name] * len(codes))
            values[rng.permutation(len(codes))[:n_missing], where] = np.nan
        return values.astype(np.float32)

    def log_likelihood(self, values):
        """Log density per class, up to a constant of the row."""
        starts = [where.start for where in self.columns.values()]
        patterns, pattern = np.unique(
            ~np.isnan(values[:, starts]), axis=0, return_inverse=True
        )
        widths = [where.stop - where.start for where in self.columns.values()]
        result = np.zeros((len(values), len(self.means)))
        for i, present in enumerate(patterns):
            rows, seen = np.flatnonzero(pattern == i), np.repeat(present, widths)
            means = self.means[:, seen]
            weights = np.linalg.solve(self.covariance[np.ix_(seen, seen)], means.T)
            halves = np.einsum("kd,dk->k", means, weights) / 2
            result[rows] = values[np.ix_(rows, seen)] @ weights - halves
        return result


def _semi_orthogonal(n_rows, n_columns, rng):
    """Draw directions at right angles: as rows, or as columns where those are fewer."""
    rows = rng.standard_normal(sorted((n_rows, n_columns)))
    for i, row in enumerate(rows):
        for _ in range(2):  # the second time takes away what rounding has left
            row -= _product(_product(row[None], rows[:i].T), rows[:i])[0]
        row /= np.sqrt((row**2).sum())
    return rows if n_rows <= n_columns else rows.T


def _product(left, right):
    """Multiply matrices without BLAS, whose order of sums depends on the processor."""
    result = np.zeros((len(left), right.shape[1]))
    for column, row in zip(left.T, right, strict=True):
        result += column[:, None] * row
    return result
