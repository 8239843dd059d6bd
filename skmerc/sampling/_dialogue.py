"""The over-samplers of imbalanced-learn on tables with keys."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from imblearn.base import BaseSampler
from imblearn.over_sampling import RandomOverSampler
from sklearn.base import clone
from sklearn.utils import get_tags

from skmerc._training import fit_standardize
from skmerc._utils.compat import HasMethods, StrOptions
from skmerc._utils.registry import storable
from skmerc._utils.types import Table
from skmerc.metrics._neighbors import nearest_rows
from skmerc.sampling._keyed import KeyedSamplerMixin, quota


@storable
class DialogueSampler(KeyedSamplerMixin, BaseSampler):
    """Over-sample with any over-sampler of imbalanced-learn, and keep the keys.

    The sampler sees the feature columns of ordinary utterances alone. What it invents
    gets the keys of the utterance that it was made from, and the role ``"synthetic"``.

    Parameters
    ----------
    sampler : over-sampler of imbalanced-learn, default=None
        For example :class:`imblearn.over_sampling.SMOTE`; its parameters are set as
        ``sampler__k_neighbors``. By default
        :class:`imblearn.over_sampling.RandomOverSampler`, which repeats utterances.
    placement : {"dialogue", "isolated"}, default="dialogue"
        Whether a synthetic utterance stands at its source's turn of its source's
        dialogue, as an alternative, or alone in a dialogue of one turn.

    Attributes
    ----------
    sampler_ : estimator
        The fitted sampler.
    sampling_strategy_ : dict
        Number of synthetic utterances per class.
    source_indices_ : ndarray of shape (n_synthetic,)
        The row of X that each synthetic row was made from.
    n_features_in_ : int
        Number of feature columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the feature columns, where they are all text.

    See Also
    --------
    MultimodalGANSampler : Translates whole utterances, and knows modalities.
    up_to_mean : A sampling strategy that stops at the mean class.

    Notes
    -----
    Rows of role ``"context"`` and ``"validation"``, all rows of dialogues with
    validation rows, and rows that are synthetic already, pass through: they are neither
    counted nor copied.

    Samplers that expose ``sample_indices_`` name the source themselves. For others,
    such as SMOTE, it is the nearest utterance of the same class after standardisation.

    In columns of a type of whole numbers or truths, what is invented is rounded, and
    stays in the range of that type.

    Examples
    --------
    >>> import numpy as np
    >>> from imblearn.over_sampling import SMOTE
    >>> from skmerc.frame import make_frame
    >>> from skmerc.sampling import DialogueSampler
    >>> X = make_frame({"text": np.arange(8.0)[:, None]}, dialogue=[0] * 4 + [1] * 4)
    >>> y = ["neutral", "joy", "neutral", "neutral", "joy", "joy", "neutral", "neutral"]
    >>> sampler = DialogueSampler(SMOTE(k_neighbors=2, random_state=0))
    >>> X_more, y_more = sampler.fit_resample(X, y)
    >>> y_more.count("joy"), X_more["dialogue__role"].tolist()[7:]
    (5, ['utterance', 'synthetic', 'synthetic'])
    """

    _sampling_type = "over-sampling"

    _parameter_constraints = {
        "sampler": [HasMethods(["fit_resample"]), None],
        "placement": [StrOptions({"dialogue", "isolated"})],
    }

    def __init__(
        self,
        sampler: Any = None,
        *,
        placement: Literal["dialogue", "isolated"] = "dialogue",
    ) -> None:
        self.sampler = sampler
        self.placement = placement

    def _count(self, table: Table) -> dict:
        sampler = self._make_sampler()
        _check_missing(sampler, table)
        strategy = getattr(sampler, "sampling_strategy", "auto")
        return quota(strategy, table.y[table.rows])

    def _make_sampler(self) -> Any:
        if self.sampler is None:
            return RandomOverSampler()
        kind = getattr(self.sampler, "_sampling_type", "over-sampling")
        if kind != "over-sampling":
            raise ValueError(
                f"{type(self.sampler).__name__} does {kind}, and DialogueSampler takes "
                "over-samplers alone: a dialogue from which turns are removed is "
                "another one. To weigh classes down, use class weights."
            )
        return clone(self.sampler)

    def _fit_resample(self, table: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, self.sampler_ = table.rows, self._make_sampler()
        features, labels = table.conversations.features[rows], table.y[rows]
        names = getattr(self, "feature_names_in_", None)
        given = features if names is None else pd.DataFrame(features, columns=names)
        with _counts_of_classes_told(labels):
            more, more_labels = self.sampler_.fit_resample(given, labels)
        more = np.array(more)  # that of a frame can not be written to
        self._check_kept(features, labels, more, more_labels)
        synthetic, new_labels = more[len(rows) :], more_labels[len(rows) :]
        # A pipeline does not tell the strategy of its steps.
        classes, counts = np.unique(new_labels, return_counts=True)
        made = dict(zip(classes.tolist(), counts.tolist(), strict=True))
        self.sampling_strategy_ = getattr(self.sampler_, "sampling_strategy_", made)
        sources = getattr(self.sampler_, "sample_indices_", None)
        if sources is None:
            standardize = fit_standardize(
                features,
                np.arange(len(features)),
                blocks=table.conversations.blocks.values(),
            )
            real, new = (_standardized(standardize, v) for v in (features, synthetic))
            sources = _nearest_of_class(real, labels, new, new_labels)
        else:
            sources = np.asarray(sources)[len(rows) :]
        return synthetic, new_labels, rows[sources]

    def _check_kept(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        more: np.ndarray,
        more_labels: np.ndarray,
    ) -> None:
        n_rows = len(features)
        kept = len(more) >= n_rows and np.array_equal(more_labels[:n_rows], labels)
        if not kept or not np.array_equal(more[:n_rows], features, equal_nan=True):
            raise ValueError(
                f"{type(self.sampler_).__name__} does not give back all rows first and "
                "unchanged, as over-samplers do, so that their keys are lost. Wrap its "
                "over-sampling part alone."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        sampler = RandomOverSampler() if self.sampler is None else self.sampler
        tags.input_tags.allow_nan = get_tags(sampler).input_tags.allow_nan
        return tags


@contextmanager
def _counts_of_classes_told(labels: np.ndarray) -> Iterator[None]:
    """Name the emotions of which a sampler that asks for neighbours finds too few."""
    try:
        yield
    except ValueError as error:
        if "n_samples" not in str(error):
            raise
        classes, counts = np.unique(labels, return_counts=True)
        found = dict(zip(classes.tolist(), counts.tolist(), strict=True))
        raise ValueError(
            f"{error}. The utterances of each emotion are {found}. Leave the rare ones "
            "out by sampling_strategy, ask for fewer neighbours, or take a sampler "
            "that needs none."
        ) from error


def _check_missing(sampler: Any, table: Table) -> None:
    """Refuse NaN where the sampler takes none, and name the modality."""
    conversations, rows = table.conversations, table.rows
    # Noise is drawn around known values alone.
    smooths = getattr(sampler, "shrinkage", None) is not None
    if get_tags(sampler).input_tags.allow_nan and not smooths:
        return
    missing = np.isnan(conversations.features[rows])
    if not missing.any():
        return
    lacking = ~conversations.present[rows]
    blocks = [
        n for n, m in zip(conversations.blocks, lacking.T, strict=True) if m.any()
    ]
    name = type(sampler).__name__ + " with shrinkage" * smooths
    found = f"lack a modality ({', '.join(blocks)})" if blocks else "have missing cells"
    raise ValueError(
        f"{int(missing.any(axis=1).sum())} utterances {found}, first in row "
        f"{rows[missing.any(axis=1)][0]}, and {name} does not accept "
        "NaN. Use MultimodalGANSampler or a plain RandomOverSampler, which do."
    )


def _nearest_of_class(
    real: np.ndarray, labels: np.ndarray, new: np.ndarray, new_labels: np.ndarray
) -> np.ndarray:
    """Find the nearest row of the same class for each new row."""
    rows = np.arange(len(real))
    sources = np.empty(len(new), dtype=np.intp)
    for label in np.unique(new_labels):
        own, ours = rows[labels == label], new_labels == label
        sources[ours] = own[nearest_rows(new[ours], real[own])]
    return sources


def _standardized(standardize: Callable, values: np.ndarray) -> np.ndarray:
    return standardize(torch.as_tensor(values, dtype=torch.float32)).numpy()
