"""What the samplers share: reading a table, anchoring and appending rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from imblearn.utils import check_sampling_strategy
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skmerc._utils import types
from skmerc._utils.compat import arrays_transformer, fit_context, step_is_checked
from skmerc._utils.fitting import all_or_nothing
from skmerc._utils.types import Modalities
from skmerc.frame._columns import (
    CONTEXT,
    KEYS,
    SYNTHETIC,
    UTTERANCE,
    ParsedTable,
    as_pandas,
    parse_table,
    synthetic_id,
)
from skmerc.frame._conversations import Conversations, read_conversations
from skmerc.frame._labels import complete_labels
from skmerc.frame._numbers import as_floats, unmasked


@dataclass(frozen=True)
class Table:
    """A table to be extended.

    Attributes
    ----------
    conversations : Conversations
        The features and keys.
    y : ndarray of shape (n_rows,)
        The labels.
    frame : ParsedTable or None
        The caller's table where it is a frame.
    form : object
        What gives results the types that the caller's X and y have.
    n_indicators : int
        Number of columns where the caller's labels were an indicator matrix of one
        class a row, or 0.
    unread : ndarray or None
        What the caller gave for the context rows, where `y` has something else.
    """

    conversations: Conversations
    y: np.ndarray
    frame: ParsedTable | None
    form: Any
    n_indicators: int
    unread: np.ndarray | None

    @property
    def rows(self) -> np.ndarray:
        """The rows to learn from: real, labelled, of no held-out dialogue."""
        conversations = self.conversations
        real = conversations.role == UTTERANCE
        return conversations.select(real & ~conversations.held_out)

    def extend(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        sources: np.ndarray,
        placement: str,
    ) -> tuple[Any, Any]:
        """Append synthetic rows, made from the rows `sources`, to X and y."""
        y = np.concatenate([self.y, labels.astype(self.y.dtype, copy=False)])
        if self.n_indicators:
            y = np.eye(self.n_indicators, dtype=int)[y]
        if self.unread is not None:
            y = self._with_unread(y, self.unread)
        if self.frame is None:
            real = self.conversations.features
            return self.form.transform(np.concatenate([real, features]), y)
        columns = _extend_features(self.frame, features)
        if self.frame.key_names:
            keys = self._extend_keys(self.frame, sources, placement)
            columns = pd.concat([keys, columns], axis=1)
        return self.form.transform(columns, y)

    def _with_unread(self, y: np.ndarray, unread: np.ndarray) -> np.ndarray:
        """Give context rows what the caller gave them, missing labels as well."""
        numeric = bool(self.n_indicators) or y.dtype.kind == "f"
        y = y.astype(float if numeric else object)
        context = np.flatnonzero(self.conversations.role == CONTEXT)
        y[context] = as_floats(unread) if numeric else unread
        whole = self.n_indicators and np.array_equal(y, y.round())
        return y.astype(int) if whole else y

    def _extend_keys(
        self, frame: ParsedTable, sources: np.ndarray, placement: str
    ) -> pd.DataFrame:
        keys = frame.keys.copy()
        for key, column in frame.key_names.items():
            if key != "dialogue__role":
                keys[key] = frame.data[column].reset_index(drop=True)
        if placement == "isolated":
            keys["dialogue__id"] = keys["dialogue__id"].astype(str)
        synthetic = keys.iloc[sources].assign(dialogue__role="synthetic")
        if placement == "isolated":
            synthetic = self._isolate(synthetic)
        return _append(keys, synthetic.astype(keys.dtypes))

    def _isolate(self, keys: pd.DataFrame) -> pd.DataFrame:
        # Numbering continues after the utterances of an earlier sampler.
        start = np.count_nonzero(self.conversations.role == SYNTHETIC)
        numbers = np.arange(start, start + len(keys))
        name = np.frompyfunc(synthetic_id, 2, 1)
        ids = name(keys["dialogue__id"].to_numpy(object), numbers)
        turns = keys["dialogue__turn"]
        return keys.assign(
            dialogue__id=ids,
            dialogue__turn=0 if pd.api.types.is_numeric_dtype(turns) else turns,
        )


def _extend_features(frame: ParsedTable, features: np.ndarray) -> pd.DataFrame:
    real = frame.features.reset_index(drop=True)
    synthetic = pd.DataFrame(features, columns=real.columns)
    for name, dtype in real.dtypes.items():
        limits = _whole_limits(dtype)
        if limits:
            synthetic[name] = synthetic[name].round().clip(*limits)
    return _append(real, synthetic.astype(real.dtypes))


def _whole_limits(dtype: Any) -> tuple[int, int] | None:
    """Least and largest value of a type of whole numbers or truths, else None."""
    if pd.api.types.is_bool_dtype(dtype):
        return 0, 1
    if not pd.api.types.is_integer_dtype(dtype):
        return None
    plain = getattr(dtype, "subtype", getattr(dtype, "numpy_dtype", dtype))
    return np.iinfo(plain).min, np.iinfo(plain).max


def _append(real: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([real, synthetic], ignore_index=True) if len(synthetic) else real


def read_table(
    sampler: Any, X: types.Table, y: ArrayLike, modalities: Modalities | None = None
) -> Table:
    """Validate X and y for a sampler, keyed or not."""
    table, y = parse_table(X), _as_pandas_target(y)
    frame = table if isinstance(table.data, pd.DataFrame) else None
    form = arrays_transformer(None if frame is not None else table.data, y)
    given = y
    y = complete_labels(y, table.is_context)
    check_classification_targets(y)
    labels, n_indicators = _as_labels(y)
    conversations, labels = read_conversations(
        sampler, _as_floats(table), labels, reset=True, modalities=modalities
    )
    if n_indicators:
        _refuse_rows_without_label(np.asarray(y), conversations.role)
    unread = _unread(given, table.is_context)
    return Table(conversations, labels, frame, form, n_indicators, unread)


def _unread(y: Any, context: np.ndarray) -> np.ndarray | None:
    """Labels of context rows, if they are to be put back: those that tell no class."""
    given = np.asarray(y, dtype=object)[context]
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim == 1 and not pd.isna(given).any():
        return None
    return given if len(given) else None


def _as_pandas_target(y: Any) -> Any:
    if issparse(y):
        raise TypeError("y is a sparse matrix; give y.toarray().")
    if hasattr(y, "columns"):
        return as_pandas(y)
    if hasattr(y, "to_numpy") and not isinstance(y, pd.Series):
        return pd.Series(y.to_numpy(), name=getattr(y, "name", None))
    return unmasked(y)


def _as_floats(table: ParsedTable) -> Any:
    """Make integers, lists and sparse columns floats without losing digits."""
    X = table.data
    if isinstance(X, list):
        X = np.asarray(X)
    if not isinstance(X, pd.DataFrame):
        whole = getattr(getattr(X, "dtype", None), "kind", None) in tuple("iu")
        return X.astype(np.float64) if whole else X
    floats = {
        column: getattr(dtype, "subtype", np.float64)
        for column, dtype in table.features.dtypes.items()
        if isinstance(dtype, pd.SparseDtype) or pd.api.types.is_integer_dtype(dtype)
    }
    return replace(table, data=X.astype(floats)) if floats else table


def _as_labels(y: Any) -> tuple[np.ndarray, int]:
    """Return labels of shape (n_rows,), and how many columns y had, or 0."""
    if not type_of_target(y).startswith("multilabel"):
        return column_or_1d(y), 0
    indicators = np.asarray(y)
    several = np.flatnonzero(indicators.sum(axis=1) > 1)
    if len(several):
        raise ValueError(
            f"Row {several[0]} has several labels, and over-sampling a row for one of "
            "them changes the counts of the others. Multilabel and multioutput targets "
            "are not supported. Resample for one label at a time (y[:, k]), or give "
            "rows with rare labels a larger sample_weight in the classifier instead."
        )
    return indicators.argmax(axis=1), indicators.shape[1]


def _refuse_rows_without_label(indicators: np.ndarray, role: np.ndarray) -> None:
    without = np.flatnonzero((indicators.sum(axis=1) == 0) & (role != CONTEXT))
    if len(without):
        raise ValueError(
            f"Row {without[0]} has none of the labels, and samplers need one for each "
            "row. Give such rows a column of their own, or the role 'context'."
        )


def quota(strategy: Any, labels: np.ndarray) -> dict:
    """Count the synthetic rows per class, as imbalanced-learn counts them.

    The strategy may also be ``"mean"``; `labels` are those of the rows that count.
    """
    if not len(labels):
        raise ValueError(
            "X has no row to learn from: none is an 'utterance' of a dialogue that is "
            "not held out for validation."
        )
    if isinstance(strategy, str) and strategy == "mean":
        strategy = up_to_mean
    if callable(strategy):
        strategy = strategy(labels)
        _check_counts(strategy)
    elif isinstance(strategy, Mapping):
        _check_counts(strategy)
    return check_sampling_strategy(strategy, labels, "over-sampling")


def _check_counts(strategy: Any) -> None:
    if not isinstance(strategy, Mapping):
        raise TypeError(
            f"sampling_strategy asks for {strategy!r}; give a mapping of classes to "
            "numbers of utterances."
        )
    for label, number in strategy.items():
        if not isinstance(number, Integral):
            raise TypeError(
                f"sampling_strategy asks for {number!r} utterances of {label!r}; give "
                "a whole number."
            )


def up_to_mean(y: ArrayLike) -> dict[Any, int]:
    """Count what every class shall have when small ones are raised to the mean.

    Use it as the `sampling_strategy` of any over-sampler of imbalanced-learn;
    in :class:`~skmerc.sampling.MultimodalGANSampler` the name ``"mean"`` does the same.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The labels.

    Returns
    -------
    counts : dict
        For every class its own number of samples or the mean number per class,
        rounded down, whichever is larger.

    Examples
    --------
    >>> from skmerc.sampling import up_to_mean
    >>> up_to_mean(["sad", "neutral", "neutral", "neutral"])
    {'neutral': 3, 'sad': 2}
    """
    classes, counts = np.unique(y, return_counts=True)
    mean = int(counts.sum()) // len(classes)
    return {c: max(int(n), mean) for c, n in zip(classes.tolist(), counts, strict=True)}


class KeyedSamplerMixin:
    """Fit and resample tables with or without keys.

    A sampler gives `_count(table)`, the quota per class, and `_fit_resample(table)`:
    features, labels and source rows of the synthetic utterances alone.
    """

    def __getattr__(self, name: str) -> Any:
        # scikit-learn's pipeline tells only that a step is no transformer.
        if name == "transform" and step_is_checked():
            raise TypeError(
                f"{type(self).__name__} is a sampler, which scikit-learn's Pipeline "
                "cannot hold; use Pipeline or make_pipeline of imblearn.pipeline."
            )
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=self)

    @fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: types.Table, y: ArrayLike) -> Self:
        """Check a table and count the quota; :meth:`fit_resample` does the work.

        Parameters
        ----------
        X : {DataFrame, array-like} of shape (n_utterances, n_columns)
            A table of utterances.
        y : array-like of shape (n_utterances,)
            The labels.

        Returns
        -------
        self : object
            The sampler.
        """
        self._read(X, y)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit_resample(self, X: types.Table, y: ArrayLike) -> tuple[Any, Any]:
        """Append synthetic utterances of the classes that have too few.

        Parameters
        ----------
        X : {DataFrame, array-like} of shape (n_utterances, n_columns)
            A table of utterances.
        y : array-like of shape (n_utterances,)
            The labels. Those of rows that are no ordinary utterances are not read.

        Returns
        -------
        X_resampled : {DataFrame, array-like} of shape (n_resampled, n_columns)
            All rows in their order, then the synthetic ones. A frame with keys comes
            back with all four keys in front.
        y_resampled : array-like of shape (n_resampled,)
            The labels, of the type of `y`. Context rows have what `y` has for them.
        """
        table = self._read(X, y)
        features, labels, self.source_indices_ = self._fit_resample(table)
        return table.extend(features, labels, self.source_indices_, self.placement)

    def _read(self, X: types.Table, y: ArrayLike) -> Table:
        table = read_table(self, X, y, getattr(self, "modalities", None))
        self._keyed = table.frame is not None and bool(table.frame.key_names)
        self.sampling_strategy_ = self._count(table)
        return table

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """Names of the columns that come out.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the feature columns; by default those seen in `fit`.

        Returns
        -------
        names : ndarray of str objects
            The keys, where the table had any, and the features.
        """
        # The class that this one is mixed into has it, and the tags.
        names = super().get_feature_names_out(  # type: ignore[misc]
            input_features
        )
        return np.r_[np.array(KEYS, dtype=object), names] if self._keyed else names

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        return tags
