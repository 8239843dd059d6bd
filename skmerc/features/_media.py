"""What the extractors share: a column of files in, a row of numbers for each out."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skmerc._utils.compat import StrOptions, fit_context
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.progress import progress
from skmerc._utils.warnings import warn_user
from skmerc.exceptions import MissingModalityWarning
from skmerc.frame._columns import is_array_like
from skmerc.frame._texts import is_missing as is_absent

# Faults of the program or the machine, and not of one file.
FATAL = (
    ImportError,
    MemoryError,
    torch.OutOfMemoryError,
    getattr(torch, "AcceleratorError", torch.OutOfMemoryError),  # since torch 2.8
)


class Unreadable(Exception):
    """An entry cannot be read; the message says why."""


class NothingFound(Exception):
    """An entry can be read and shows nothing to describe; the message says what."""


def as_entries(X: Any) -> list:
    """List the entries of one column."""
    if isinstance(X, str | bytes | os.PathLike):
        raise ValueError(
            f"X is one path, {name_of(X)}; give a list or column of paths."
        )
    if not is_array_like(X):
        raise TypeError(f"X is a {type(X).__name__}; give a list or column of paths.")
    if len(getattr(X, "shape", ())) == 2:
        if X.shape[1] != 1:
            hint = ""
            if getattr(getattr(X, "dtype", None), "kind", "") in ("f", "i", "u"):
                hint = " Where each row is one sound, give list(X)."
            raise ValueError(
                f"X has {X.shape[1]} columns; give the one that names the files.{hint}"
            )
        X = X.iloc[:, 0] if hasattr(X, "iloc") else np.asanyarray(X)[:, 0]
    # Some columns, such as those of Arrow, give scalars of their own one by one.
    return list(np.asanyarray(X, dtype=object) if hasattr(X, "__array__") else X)


def is_missing(entry: Any) -> bool:
    """Whether a cell is empty."""
    return is_absent(entry) or (isinstance(entry, str | bytes) and not entry)


def attempt(extract: Callable, row: int, entry: Any, strict: bool) -> Any:
    """Return the features of an entry, or the exception that says why there are none.

    An exception that is returned can be counted, and comes back from another process.
    """
    try:
        return features_of(extract, entry)
    except NothingFound as problem:
        return problem
    except MemoryError as error:
        raise MemoryError(
            f"Row {row}, {name_of(entry)}: it takes more memory than there is."
        ) from error
    except Unreadable as problem:
        if strict:
            raise ValueError(f"Row {row}, {name_of(entry)}: {problem}.") from problem
        return problem


def features_of(extract: Callable, entry: Any) -> np.ndarray:
    """Return the features of an entry; whatever it makes stumble, it is unreadable."""
    if is_missing(entry):
        raise Unreadable("no file named")
    try:
        is_sound = isinstance(entry, np.ndarray)
        features = extract(
            entry if is_sound else os.path.expanduser(os.fsdecode(entry))
        )
    except (Unreadable, NothingFound, *FATAL):
        raise
    except Exception as error:  # decoders and models have many kinds of their own
        reason = f"{type(error).__name__}, {error}".partition("\n")[0]
        raise Unreadable(f"an error of what reads it: {reason}") from error
    with np.errstate(over="ignore"):
        features = np.asarray(features, np.float32)
    n_broken = np.sum(~np.isfinite(features))
    if n_broken:
        raise Unreadable(
            f"features that are not finite: {n_broken} of {len(features)} numbers"
        )
    return features


class MediaTransformer(TransformerMixin, BaseEstimator):
    """Describe each file by a row of numbers.

    A subclass says in `_load` what describes one file: a callable with the attribute
    `names`, which raises :class:`Unreadable` or :class:`NothingFound`.
    """

    _parameter_constraints: dict = {
        "errors": [StrOptions({"warn", "raise"})],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }
    _takes = "the path of a file"
    # Native code that releases the lock of Python runs in threads, which share models.
    _workers: dict = {"require": "sharedmem"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check that packages and models are there; nothing is learned from X.

        Parameters
        ----------
        X : array-like of shape (n_utterances,) or (n_utterances, 1)
            The files; none is opened.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ImportError
            If an optional package is not installed; the message names the extra.
        OSError
            If the model cannot be loaded.
        TypeError, ValueError
            If X is no column, or has more than one.
        """
        as_entries(X)
        self.feature_names_out_ = np.asarray(self._load().names, dtype=object)
        return self

    @of_one_fit
    def transform(self, X: Any) -> np.ndarray:
        """Describe each file.

        Parameters
        ----------
        X : array-like of shape (n_utterances,) or (n_utterances, 1)
            The files, named by str, bytes or Path; an empty cell (None, NaN or ``""``)
            is a missing modality.

        Returns
        -------
        X_new : ndarray of float32 of shape (n_utterances, n_features)
            One row per file, NaN throughout where there are no features.

        Raises
        ------
        ValueError
            If a row holds something else than a file, or with ``errors="raise"``
            cannot be read; the message names the row.
        MemoryError
            If the memory does not suffice for a file; the message names the row.
        """
        check_is_fitted(self)
        entries = as_entries(X)
        self._check_entries(entries)
        rows = np.full((len(entries), len(self.feature_names_out_)), np.nan, np.float32)
        problems = {}
        for row, result in enumerate(self._results(entries)):
            if isinstance(result, Exception):
                problems[row] = result
            else:
                rows[row] = result
        if problems:
            warn_of_missing(problems, entries)
        return rows

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str of shape (n_features,)
            One name per column of what :meth:`transform` returns.
        """
        check_is_fitted(self)
        return self.feature_names_out_.copy()

    def _load(self) -> Any:
        raise NotImplementedError

    def _results(self, entries: list) -> Iterable:
        """Yield what comes of each entry, in order, under a progress bar."""
        # Not scikit-learn's delayed: it exchanges the filters of warnings, which all
        # threads share, and a thread that outlives an error would do so at any time.
        parallel = Parallel(self.n_jobs, return_as="generator", **self._workers)
        extract, strict = self._load(), self.errors == "raise"
        results = parallel(
            delayed(attempt)(extract, row, entry, strict)
            for row, entry in enumerate(entries)
        )
        return progress(
            results,
            owner=self,
            verbose=self.verbose,
            total=len(entries),
            unit="file",
        )

    def _check_entries(self, entries: list) -> None:
        for row, entry in enumerate(entries):
            fault = None if is_missing(entry) else self._fault(entry)
            if fault:
                raise ValueError(f"Row {row} holds {fault}.")

    def _fault(self, entry: Any) -> str | None:
        if not isinstance(entry, str | bytes | os.PathLike):
            return f"a {type(entry).__name__}; give {self._takes}"
        return None


def name_of(entry: Any) -> str:
    """Name an entry in a message, in short: bytes may be a whole file."""
    if isinstance(entry, np.ndarray):
        return f"an array of shape {entry.shape}"
    path = os.fspath(entry) if isinstance(entry, os.PathLike) else entry
    return f"{path!r:.300}"


def warn_of_missing(problems: dict[int, Exception], entries: list) -> None:
    """Tell in one warning how many rows have no features, and why."""
    reasons = Counter(str(problem).partition(":")[0] for problem in problems.values())
    counts = ", ".join(f"{n} with {reason}" for reason, n in reasons.items())
    row, problem = next(iter(problems.items()))
    warn_user(
        f"{len(problems)} of {len(entries)} rows have no features and are missing "
        f"modalities (NaN): {counts}. The first is row {row}, "
        f"{name_of(entries[row])}: {problem}.",
        MissingModalityWarning,
    )
