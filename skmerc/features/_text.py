"""Embeddings of texts by a sentence model."""

from collections import Counter
from hashlib import blake2b
from numbers import Integral
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skmerc._utils.compat import Interval, StrOptions, fit_context
from skmerc._utils.device import resolve_device
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.progress import progress
from skmerc._utils.registry import storable
from skmerc._utils.types import FilePath
from skmerc._utils.warnings import warn_user
from skmerc.exceptions import MissingModalityWarning, TextTruncationWarning
from skmerc.features._cache import compute_once, open_cache
from skmerc.features._media import FATAL
from skmerc.features._passages import make_passages
from skmerc.features._sentence_model import SentenceModel, load_sentence_model
from skmerc.frame import drop_keys
from skmerc.frame._columns import as_pandas, is_array_like
from skmerc.frame._texts import clean, tell_of_changes

_BATCHES_AT_ONCE = 8
_WHY_BROKEN = (
    "Its weights are broken, or too small a type of numbers overflows: use another."
)


@storable
class TextEmbedder(TransformerMixin, BaseEstimator):
    """Turn texts into features by a pretrained sentence model.

    The model is one of sentence-transformers, which ``pip install 'skmerc[text]'``
    brings. It is used as it is; nothing is learned from the texts.

    Parameters
    ----------
    model : str or Path, default="sentence-transformers/all-MiniLM-L6-v2"
        A folder that holds a model, or a name on the Hugging Face hub. A model from
        the hub is downloaded once, and taken from this machine after that.
    pooling : {"mean", "cls", "max"} or None, default=None
        How the vectors of tokens become one: their mean, that of the first token,
        or their maximum; by default as the model was trained.
    normalize : bool, default=True
        Whether to scale each embedding to unit length. With False it is as long as
        pooling leaves it, also where the model itself would scale it.
    context_past, context_future : int, default=0
        Number of utterances of the dialogue, before and behind each, that the model
        reads together with it. Asked for any, give the keys beside the texts.
    speakers : bool, default=False
        Whether the model reads the name of its speaker in front of each utterance.
    max_tokens : int or None, default=None
        Number of tokens that the model reads at most, in all; by default as many as
        it was trained for.
    batch_size : int, default=32
        Number of texts that the model reads at a time.
    device : str, default="auto"
        Where to compute: ``"auto"`` is a GPU where there is one.
    cache : "process", str, Path or None, default="process"
        Where embeddings are kept, so that each text is embedded once: in the memory
        of the process (at most 256 MiB, the least recently used go first), in a
        folder that processes share, or nowhere.
    local_files_only : bool, default=False
        Whether to never ask the hub.
    errors : {"warn", "raise"}, default="warn"
        Whether a missing or blank text is a missing modality, or an error.
    verbose : int, default=0
        Whether to show progress bars.

    Attributes
    ----------
    embedding_size_ : int
        Number of features.
    model_digest_ : str
        Digest of weights, tokenizer, pooling and normalisation: the model's part of
        a key of the cache.

    Notes
    -----
    A missing or blank text is a missing modality: its row is NaN throughout, and a
    :class:`~skmerc.exceptions.MissingModalityWarning` counts such rows. Texts that are
    bytes are decoded, and control characters of Windows-1252 become the signs that
    they stand for; a :class:`~skmerc.exceptions.TextEncodingWarning` counts them.

    All embedders of a process share its cache, whatever their names for the same
    model, and its two latest models; neither is part of a pickle. A cache of a
    folder does what the memory does also for several processes, as with ``n_jobs``:
    while one embeds, others wait for what they can read then. The folder must lie
    where SQLite can lock files, which some network drives do not allow.

    An utterance in its context is embedded by its own tokens, which have heard the
    others: mean and maximum are taken over them alone, and ``"cls"`` is the first of
    them. Utterances are parted by the separator of the tokenizer. Neighbours without a
    text are passed over, those of the role ``"context"`` are read like others, and
    synthetic ones are not. With ``context_future=0`` nothing depends on what comes
    later.

    What exceeds `max_tokens` (256 for the default model) is cut at the far ends of the
    context. An utterance that is too long by itself is cut, too, and a
    :class:`~skmerc.exceptions.TextTruncationWarning` counts such ones.

    Examples
    --------
    Key columns pass through, and what comes out is a table for all estimators:

    >>> from sklearn.compose import ColumnTransformer
    >>> from skmerc.features import TextEmbedder
    >>> features = ColumnTransformer(
    ...     [("text", TextEmbedder(), "utterance")], remainder="passthrough"
    ... ).set_output(transform="pandas")
    >>> X = features.fit_transform(table)  # doctest: +SKIP
    >>> list(X.columns[[0, 383, 384]])  # doctest: +SKIP
    ['text__0', 'text__383', 'remainder__dialogue__id']

    In the context of the dialogue each text is read with the keys beside it:

    >>> from skmerc.frame import KEYS
    >>> embedder = TextEmbedder(context_past=4, speakers=True)
    >>> features = ColumnTransformer(
    ...     [
    ...         ("keys", "passthrough", list(KEYS)),
    ...         ("text", embedder, ["utterance", *KEYS]),
    ...     ]
    ... ).set_output(transform="pandas")
    >>> X = features.fit_transform(table)  # doctest: +SKIP
    """

    _parameter_constraints: dict = {
        "model": [str, PathLike],
        "pooling": [StrOptions({"mean", "cls", "max"}), None],
        "normalize": ["boolean"],
        "context_past": [Interval(Integral, 0, None, closed="left")],
        "context_future": [Interval(Integral, 0, None, closed="left")],
        "speakers": ["boolean"],
        "max_tokens": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "cache": [str, PathLike, None],
        "local_files_only": ["boolean"],
        "errors": [StrOptions({"warn", "raise"})],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model: FilePath = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        pooling: Literal["mean", "cls", "max"] | None = None,
        normalize: bool = True,
        context_past: int = 0,
        context_future: int = 0,
        speakers: bool = False,
        max_tokens: int | None = None,
        batch_size: int = 32,
        device: str = "auto",
        cache: FilePath | None = "process",
        local_files_only: bool = False,
        errors: Literal["warn", "raise"] = "warn",
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.normalize = normalize
        self.context_past = context_past
        self.context_future = context_future
        self.speakers = speakers
        self.max_tokens = max_tokens
        self.batch_size = batch_size
        self.device = device
        self.cache = cache
        self.local_files_only = local_files_only
        self.errors = errors
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> Self:
        """Load the model and learn the number of its features.

        Parameters
        ----------
        X : array-like of shape (n_texts,), or DataFrame of texts and key columns
            Texts, which are checked only.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ImportError
            If sentence-transformers is not installed.
        OSError
            If the model is not found or cannot be loaded.
        TypeError
            If a cell is neither text nor missing.
        ValueError
            If X is not one column beside keys, keys that are needed are absent, or a
            text is no valid Unicode.
        """
        self._read(X, tell=False, reset=True)  # transform will tell
        self._remember(self._load())
        return self

    def _remember(self, model: SentenceModel) -> None:
        self._probe, self.model_digest_ = model.probe, model.digest
        self._n_readable = model.n_readable
        self.embedding_size_ = len(model.probe)

    @of_one_fit
    def transform(self, X: Any) -> np.ndarray:
        """Embed texts.

        Parameters
        ----------
        X : array-like of shape (n_texts,), or DataFrame of texts and key columns
            Texts, or bytes that hold them; None, NaN or blank where missing.

        Returns
        -------
        X_new : ndarray of shape (n_texts, n_embedded)
            Embeddings in float32, a row of NaN for each missing text.

        Raises
        ------
        OSError
            If the model or the cache cannot be used.
        TypeError
            If a cell is neither text nor missing.
        ValueError
            If X is not one column beside keys, keys that are needed are absent, a text
            is no valid Unicode, the model is not the one that :meth:`fit` saw or
            cannot embed a text, or, with ``errors="raise"``, a text is missing.
        """
        check_is_fitted(self)
        texts = self._read(X)
        tell_of_missing(texts, self.errors)
        self._tell_of_long(texts, self._n_readable)
        return self._features(texts)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features by their numbers.

        Parameters
        ----------
        input_features : object, default=None
            Ignored.

        Returns
        -------
        names : ndarray of str of shape (n_embedded,)
            ``"0"``, ``"1"`` and so on.
        """
        check_is_fitted(self)
        return np.arange(self.embedding_size_).astype(str).astype(object)

    def _read(self, X: Any, *, tell: bool = True, reset: bool = False) -> list:
        if reset:
            self._context = self._context_asked()
        name = type(self).__name__
        column = drop_keys(X) if hasattr(X, "columns") else X
        texts, changes = _read_texts(column, name)
        if tell:
            tell_of_changes(changes, len(texts), "X")
        context = self._context_read()
        if not any(context.values()):
            return texts
        return make_passages(
            texts,
            X,
            **context,
            name=name,
            tell=tell,
        )

    def _context_asked(self) -> dict[str, Any]:
        return {
            "past": self.context_past,
            "future": self.context_future,
            "speakers": self.speakers,
        }

    def _context_read(self) -> dict[str, Any]:
        """Tell what fit read beside a text, whatever the parameters have become."""
        # Embedders saved before lack it.
        return getattr(self, "_context", None) or self._context_asked()

    def _tell_of_long(self, texts: list, n_readable: float) -> None:
        """Warn of utterances that the model does not read to their ends."""
        texts = [getattr(text, "text", text) for text in texts]
        if not any(text and len(text.encode()) > n_readable for text in texts):
            return  # and needs no model
        rows = TextEmbedder._load(self).too_long(texts)
        if rows:
            warn_user(
                f"{len(rows)} of {len(texts)} texts are longer than the {n_readable} "
                f"tokens that the model reads, first in row {rows[0]}; their ends are "
                "left out. Raise max_tokens where the model has places for more, or "
                "split them.",
                TextTruncationWarning,
            )

    def _load(self) -> SentenceModel:
        model = load_sentence_model(
            self.model,
            pooling=self.pooling,
            normalize=self.normalize,
            max_tokens=self.max_tokens,
            device=str(resolve_device(self.device)),
            local_files_only=self.local_files_only,
            verbose=self.verbose,
        )
        if not np.isfinite(model.probe).all():
            raise ValueError(
                f"The model {str(self.model)!r} gives numbers that are not finite. "
                f"{_WHY_BROKEN}"
            )
        if any(self._context_read().values()):
            model.check_context()
        return model

    def _features(self, texts: list) -> np.ndarray:
        keys = {text: self._key(text) for text in texts if text is not None}
        try:
            vectors = self._vectors({key: text for text, key in keys.items()})
        except _Stumble as problem:
            reason = str(problem.__cause__).partition("\n")[0]
            raise ValueError(
                f"The model {str(self.model)!r} cannot embed the text in row "
                f"{texts.index(problem.text)} ({reason}). If its tokenizer and its "
                "weights are not of one model, use another; or leave the row out."
            ) from problem.__cause__
        features = np.full((len(texts), self.embedding_size_), np.nan, np.float32)
        for row, text in enumerate(texts):
            if text is not None:
                features[row] = vectors[keys[text]]
        refuse_broken(features, texts, self.model)
        return features

    def _key(self, text: Any) -> bytes:
        mark = " " if isinstance(text, str) else "\n"  # which parts the two kinds
        content = f"{self.model_digest_}{mark}{text}".encode()
        return blake2b(content, digest_size=16).digest()

    def _vectors(self, texts: dict[bytes, Any]) -> dict[bytes, np.ndarray]:
        # Texts of like length need little padding; the longest shows at once
        # whether the memory suffices.
        order = sorted(texts, key=lambda key: len(texts[key]), reverse=True)
        bar = progress(
            owner=self,
            step="embedding",
            verbose=self.verbose,
            total=len(texts),
            unit="text",
        )
        with bar, open_cache(self.cache, self.embedding_size_) as cache:
            return compute_once(
                cache,
                {key: texts[key] for key in order},
                self._embed,
                n_at_once=_BATCHES_AT_ONCE * self.batch_size,
                progress=bar,
            )

    def _embed(self, texts: list) -> np.ndarray:
        model = self._load()
        if not (
            model.embeds_like(self._probe) and model.n_readable == self._n_readable
        ):
            raise ValueError(
                f"The model {str(self.model)!r}, its pooling or its normalisation is "
                "not what fit saw; fit again, or give the model as it was."
            )
        try:
            return model.embed(texts, self.batch_size)
        except FATAL:
            raise
        except Exception:  # each part of the stack has kinds of its own
            _stumble(model, texts)
            raise

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class _Stumble(Exception):
    """A model cannot embed a text."""

    def __init__(self, text: Any) -> None:
        self.text = text
        super().__init__("a text")  # messages must not show what was said


def _stumble(model: SentenceModel, texts: list) -> None:
    """Find the text that a model cannot embed."""
    for text in texts:
        try:
            model.embed([text], 1)
        except FATAL:
            raise
        except Exception as error:
            raise _Stumble(text) from error


def _read_texts(X: Any, name: str) -> tuple[list, Counter]:
    """Return a list of texts, None where one is missing, and what was changed."""
    values = as_pandas(X) if hasattr(X, "columns") else X
    if is_array_like(values) and not hasattr(values, "__array__"):
        values = list(values)  # numpy would make one cell of the values of a dict
    values = np.asanyarray(values, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"{name} reads one column of texts, and X has the shape {values.shape}. "
            f"Choose one, for example with "
            f"ColumnTransformer([('text', {name}(), 'utterance')])."
        )
    changes: Counter = Counter()
    return [
        _read_text(value, row, changes) for row, value in enumerate(values)
    ], changes


def _read_text(value: Any, row: int, changes: Counter) -> str | None:
    text = clean(value, changes)
    if isinstance(text, str):
        _check_unicode(text, row)
        return text if text.strip() else None
    if text is None:
        return None
    raise TypeError(
        f"Row {row} holds a cell ({type(value).__name__}) which is no text. Give str, "
        "or None where the text is missing."
    )


def _check_unicode(text: str, row: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"The text in row {row} is no valid Unicode ({error.reason} at character "
            f"{error.start}). Read it again with its right encoding."
        ) from None


def refuse_broken(features: np.ndarray, texts: list, model: FilePath) -> None:
    """Refuse an embedding of a text that would pass for that of a missing one."""
    there = np.array([text is not None for text in texts], bool)
    broken = np.flatnonzero(there & ~np.isfinite(features).all(axis=1))
    if len(broken):
        raise ValueError(
            f"The model {str(model)!r} gives numbers that are not finite for "
            f"{len(broken)} of {len(texts)} texts, first in row {broken[0]}. "
            f"{_WHY_BROKEN}"
        )


def tell_of_missing(texts: list, errors: str) -> None:
    n_missing = texts.count(None)
    if not n_missing:
        return
    found = (
        f"{n_missing} of {len(texts)} texts are missing or blank, first in row "
        f"{texts.index(None)}"
    )
    if errors == "raise":
        raise ValueError(f"{found}; leave these rows out, or set errors='warn'.")
    warn_user(
        f"{found}; their features are NaN.",
        MissingModalityWarning,
    )
