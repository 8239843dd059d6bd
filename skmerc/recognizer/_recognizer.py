"""The estimator for those who only want it to work."""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline as SamplingPipeline
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.metrics import accuracy_score
from sklearn.pipeline import Pipeline
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from skmerc._training._standardize import warn_of_value_never_seen
from skmerc._utils.compat import HasMethods, StrOptions, fit_context
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.output import tell
from skmerc._utils.progress import is_shown
from skmerc._utils.registry import documented
from skmerc._utils.seeding import draw_seed
from skmerc._utils.types import FilePath, Table
from skmerc._utils.warnings import warn_user
from skmerc.exceptions import NoDialogueWarning
from skmerc.features import AudioFunctionals, TextEmbedder, VideoFunctionals
from skmerc.frame._columns import KEYS, ParsedTable, locate_blocks, parse_table
from skmerc.frame._conversations import refuse_infinite
from skmerc.frame._labels import (
    column_names,
    complete_labels,
    refuse_context_alone,
    refuse_other_columns,
)
from skmerc.frame._warnings import (
    HANDFUL,
    keys_told,
    warn_of_ids,
    warn_of_lost_keys,
    warn_of_other_labels,
    warn_of_other_order,
    warn_without_dialogues,
)
from skmerc.recognition._checks import scored_rows
from skmerc.recognizer._choices import (
    ENOUGH,
    Amount,
    Choice,
    choose,
)
from skmerc.recognizer._columns import Columns, find_columns, without_times

_COLUMN = [str, None]


@documented
class EmotionRecognizer(ClassifierMixin, BaseEstimator):
    """Recognise emotions in a table of utterances, with all steps chosen for you.

    It makes an ordinary pipeline of a text embedder, extractors of sound and film,
    a sampler, a fuser and a classifier, by the rules in the notes, and fits it. The
    attributes ``pipeline_`` and ``choices_`` show which steps, and why, so that you
    can go on from there without it.

    Parameters
    ----------
    text : str or None, default="auto"
        Column of what was said; by default ``"utterance"``, as
        :func:`skmerc.datasets.to_frame` calls it, or ``"text"``. None where texts are
        not read.
    audio : str or None, default="auto"
        Column of paths of sound files; by default ``"audio"``, ``"sound"`` or
        ``"wav"``, if there is one.
    video : str or None, default="auto"
        Column of paths of clips; by default ``"video"`` or ``"clip"``, if there is one.
    embedder : str, Path or transformer, default="auto"
        What makes features of texts: a transformer such as
        :class:`skmerc.FineTunedTextEmbedder`, or the name or folder of a sentence
        model for :class:`skmerc.TextEmbedder`. By default its default model.
    sampler : "auto", None or sampler, default="auto"
        What over-samples rare emotions: a sampler of skmerc, or none.
    classifier : "auto" or classifier, default="auto"
        What names the emotions: one that takes tables with keys, such as
        :class:`skmerc.JoyfulClassifier`. With one that is given, sampler and fuser
        are left out unless they are given, too.
    random_state : int, RandomState instance or None, default=None
        Seed of every step.
    device : str, default="auto"
        Where to compute; ``"auto"`` is a GPU where there is one.
    verbose : int, default=0
        Whether to print what was chosen, and to show progress bars.

    Attributes
    ----------
    pipeline_ : imblearn.pipeline.Pipeline or sklearn.pipeline.Pipeline
        The fitted pipeline, which takes the same tables.
    choices_ : dict of str to str
        What was chosen and why, in a sentence for each kind of step.
    classes_ : ndarray of shape (n_classes,)
        The emotions; after an indicator matrix, the names of its columns where it was
        a DataFrame, in the order of the columns of answers, and else their numbers.
    n_features_in_ : int
        Number of columns that are no keys.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X was a table.

    See Also
    --------
    skmerc.recognition.make_cberl : CBERL's three steps, for tables of features.
    skmerc.TextEmbedder : Features of texts.

    Notes
    -----
    The rules rest on the page of results.

    - Texts go through :class:`skmerc.TextEmbedder` as its model is. Fine-tuning is
      worth up to four points from some thousand labelled utterances on, and costs a
      quarter of an hour of one thread on MELD, so it is only named in ``choices_``.
    - Below twelve labelled dialogues of several turns logistic regression (C=0.1, for
      probabilities that are not too sure) reads each utterance by itself, from the
      rows that have a label; missing modalities are filled with means.
    - From twelve on :class:`skmerc.CBERLClassifier` reads whole dialogues.
    - :class:`skmerc.MultimodalGANSampler` and :class:`skmerc.DJVAEFuser` stand in front
      of it where a thousand utterances are labelled and some emotion has thirty of
      them or more, but less than a quarter of the mean number for an emotion.
    - After an indicator matrix :class:`skmerc.JoyfulClassifier` takes its place.

    Features of numbers, in columns such as ``audio__0``, are read as they are, beside
    the texts or without. A column that holds anything else and is none of the above
    is refused.

    Examples
    --------
    >>> from skmerc import EmotionRecognizer
    >>> from skmerc.datasets import make_conversations
    >>> X, y = make_conversations(8, random_state=0)  # features; texts work as well
    >>> model = EmotionRecognizer(random_state=0).fit(X, y)
    >>> model.predict(X).shape == y.shape
    True
    >>> print(model.choices_["classifier"][:39])
    LogisticRegression on single utterances
    >>> list(model.pipeline_.named_steps)
    ['no_keys', 'fill', 'scale', 'classifier']
    """

    classes_: np.ndarray

    _parameter_constraints: dict = {
        "text": _COLUMN,
        "audio": _COLUMN,
        "video": _COLUMN,
        "embedder": [str, os.PathLike, HasMethods(["fit", "transform"])],
        "sampler": [StrOptions({"auto"}), None, HasMethods("fit_resample")],
        "classifier": [StrOptions({"auto"}), HasMethods(["fit", "predict"])],
        "random_state": ["random_state"],
        "device": [str],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        text: str | None = "auto",
        audio: str | None = "auto",
        video: str | None = "auto",
        embedder: Any = "auto",
        sampler: Any = "auto",
        classifier: Any = "auto",
        random_state: Any = None,
        device: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.text = text
        self.audio = audio
        self.video = video
        self.embedder = embedder
        self.sampler = sampler
        self.classifier = classifier
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=False)
    @all_or_nothing
    def fit(self, X: Table, y: ArrayLike) -> Self:
        """Choose the steps and fit them.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues: keys, and a column of texts, of paths, or features.
        y : array-like of shape (n_utterances,) or (n_utterances, n_classes)
            The emotion of each, or an indicator matrix where an utterance can have
            several; those of context rows are ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ImportError
            If what texts, sounds or clips need is not installed; the message names
            the extra.
        OSError
            If a sentence model is not found.
        ValueError
            If X has neither text nor features, or columns of unknown use; if labels
            are missing or no classes.
        """
        table = self._read(X, reset=True)
        y = self._read_labels(y, table)
        columns = None
        if isinstance(table.data, pd.DataFrame):
            columns = find_columns(table, self._asked())
            _tell_of_no_dialogues(table, columns)
        refuse_context_alone(table.is_context)
        _refuse_one_class(self.classes_, y)
        settings = self._settings()
        amount = Amount.of(table.keys, y)
        choice = choose(
            amount, _cloned(self.sampler), _cloned(self.classifier), settings
        )
        before, reasons = self._extract(columns, amount, settings)
        self.choices_ = reasons | choice.reasons
        self._in_context = choice.in_context
        if not choice.in_context:  # or the classifier tells
            warn_of_ids(table.features)
            _refuse_infinite(table.features)
        self._keys = dict(table.key_names)
        self._keys_told = keys_told(table)
        if is_shown(self.verbose):
            lines = (f"{step}: {why}" for step, why in self.choices_.items())
            tell("\n".join(lines), sys.stdout)
        pipeline = _pipeline(before, choice)
        data, labels = table.data, y
        if table.key_names and not choice.in_context:
            data, labels = data[table.is_learnable], y[table.is_learnable]
            _refuse_one_class(np.unique(labels), labels)
        self._never_seen = []
        if not choice.in_context:  # or the classifier tells
            self._never_seen = _without_values(parse_table(data).features)
        if y.ndim == 2:
            labels = pd.DataFrame(labels, getattr(data, "index", None), self.classes_)
        self.pipeline_ = pipeline.fit(data, labels)
        if y.ndim == 1:
            self.classes_ = self.pipeline_.classes_
        return self

    @of_one_fit
    def predict(self, X: Table) -> np.ndarray:
        """Emotion of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, with the columns that :meth:`fit` saw.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
            The most probable of ``classes_``; after an indicator matrix, another.
        """
        check_is_fitted(self, "pipeline_")
        return self.pipeline_.predict(self._read(X, reset=False).data)

    @of_one_fit
    def predict_proba(self, X: Table) -> np.ndarray:
        """Compute the probabilities of the emotions of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, with the columns that :meth:`fit` saw.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self, "pipeline_")
        return self.pipeline_.predict_proba(self._read(X, reset=False).data)

    def score(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Accuracy over the utterances that are not context.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.
        y : array-like of shape (n_utterances,) or (n_utterances, n_classes)
            Their emotions; those of context rows are ignored.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on each utterance.

        Returns
        -------
        float
            Share of right answers.
        """
        table = parse_table(X)
        refuse_other_columns(y, self.classes_)
        rows, y, weight = scored_rows(table, y, sample_weight)
        answers = self.predict(table.data)[rows]
        warn_of_other_labels(y, self.classes_)
        return float(accuracy_score(y, answers, sample_weight=weight))

    def explain(self, X: Table, row: Any, **options: Any) -> Any:
        """Tell what moved the answer for one utterance.

        Parameters
        ----------
        X : DataFrame of shape (n_utterances, n_columns)
            A table with keys.
        row : object
            Index label of the utterance, as in ``X.loc[row]``.
        **options
            Those of ``skmerc.inspection.explain``.

        Returns
        -------
        object
            What ``skmerc.inspection.explain`` returns for ``pipeline_``.
        """
        check_is_fitted(self, "pipeline_")
        inspection: Any = import_module("skmerc.inspection")
        return inspection.explain(self.pipeline_, X, row, **options)

    def save(self, path: FilePath) -> None:
        """Save it by :func:`skmerc.persistence.save_model`.

        Parameters
        ----------
        path : str or Path
            The file; :func:`skmerc.persistence.load_model` reads it.
        """
        # It knows all that can be saved, nets of skorch included, which take seconds.
        from skmerc.persistence import save_model

        save_model(self, path)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_label = True
        return tags

    def _asked(self) -> dict[str, Any]:
        return {"text": self.text, "audio": self.audio, "video": self.video}

    def _settings(self) -> dict[str, Any]:
        """Parameters of all steps; a generator gives them one seed."""
        seed = self.random_state
        if seed is not None:
            seed = draw_seed(check_random_state(seed))
        return {"random_state": seed, "device": self.device, "verbose": self.verbose}

    def _read(self, X: Any, *, reset: bool) -> ParsedTable:
        """Read a table, or an array of features."""
        if hasattr(X, "columns"):
            table = without_times(parse_table(X))
            validate_data(self, table.features, reset=reset, skip_check_array=True)
            return table if reset else self._as_in_fit(table)
        _refuse_texts(X)
        X = validate_data(
            self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan"
        )
        if not reset:
            self._tell_of_never_seen(X)
        return ParsedTable(X, {})

    def _as_in_fit(self, table: ParsedTable) -> ParsedTable:
        """Put defaults in the place of keys that fit saw, and warn of what they do."""
        in_context = getattr(self, "_in_context", True)
        if not in_context:
            _refuse_infinite(table.features)
            self._tell_of_never_seen(table.features)
        known = getattr(self, "_keys", {})
        absent = [key for key in known if key not in table.key_names]
        if not absent:
            return table
        if in_context:
            warn_without_dialogues(table.key_names)
            warn_of_lost_keys(table, self._keys_told)
        given = {known[key]: table.keys[key].to_numpy() for key in absent}
        return parse_table(table.data.assign(**given))

    def _tell_of_never_seen(self, features: Any) -> None:
        """Warn of values in columns where no training row had one, as networks do."""
        features = pd.DataFrame(features)
        for column in getattr(self, "_never_seen", []):
            rows = np.flatnonzero(features[column].notna())
            if len(rows):
                warn_of_value_never_seen(int(rows[0]), f"column {column!r}")
                return

    def _read_labels(self, y: Any, table: ParsedTable) -> np.ndarray:
        """Labels of all rows; those of context rows are any."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        warn_of_other_order(table.data, y)
        names = column_names(y)
        check_consistent_length(table.data, y)
        y = complete_labels(y, table.is_context)
        if type_of_target(y).startswith("multilabel"):
            y = np.asarray(y)
            self.classes_ = np.arange(y.shape[1]) if names is None else names
        else:
            y = column_or_1d(y, warn=True)
            check_classification_targets(y)
            if y.dtype.kind == "f":
                assert_all_finite(y, input_name="y")
            self.classes_ = np.unique(y[~table.is_context])
        return y

    def _extract(
        self, columns: Columns | None, amount: Amount, settings: dict[str, Any]
    ) -> tuple[list, dict[str, str]]:
        """Make the step before all others, if there is anything but features."""
        if columns is None or not columns.raw:
            return [], {"features": "As they are: X has numbers alone."}
        parts, reasons = [], {}
        for modality, name in columns.names().items():
            extractor, why = self._extractor(modality, amount, settings)
            read = columns.raw[modality]
            if isinstance(extractor, TextEmbedder):  # some read the dialogue
                read = [read, *columns.keys]
            parts.append((name, extractor, read))
            reasons[modality] = f"Column {columns.raw[modality]!r}, by {why}"
        if columns.features:
            named = ", ".join(columns.features)
            reasons["features"] = f"Numbers of {named} are read as they are."
        parts += [(n, "passthrough", found) for n, found in columns.features.items()]
        parts.append(("keys", "passthrough", columns.keys))
        step = ColumnTransformer(parts).set_output(transform="pandas")
        return [("features", step)], reasons

    def _extractor(
        self, modality: str, amount: Amount, settings: dict[str, Any]
    ) -> tuple[Any, str]:
        """Make what turns a modality into features, and say why."""
        device: dict[str, Any] = {"device": self.device}
        if modality == "audio":
            name = "AudioFunctionals, descriptors that need no model."
            return AudioFunctionals(verbose=self.verbose), name
        if modality == "video":
            name = "VideoFunctionals, an image model as it is."
            return VideoFunctionals(**device, verbose=self.verbose), name
        if not isinstance(self.embedder, str | os.PathLike):
            return clone(self.embedder), f"{type(self.embedder).__name__}, as you said."
        given: dict[str, Any] = (
            {} if self.embedder == "auto" else {"model": self.embedder}
        )
        if isinstance(self.embedder, os.PathLike):
            given = {"model": Path(self.embedder)}
        embedder = TextEmbedder(**given, **device, verbose=self.verbose)
        return embedder, _why_frozen(amount)


def _why_frozen(amount: Amount) -> str:
    why = "TextEmbedder, a sentence model as it is."
    if amount.n_labelled >= ENOUGH and amount.counts:
        why += (
            f" With {amount.n_labelled} labelled utterances "
            "embedder=FineTunedTextEmbedder() may be worth up to four points, for "
            "minutes to hours without a GPU."
        )
    return why


def _tell_of_no_dialogues(table: ParsedTable, columns: Columns) -> None:
    """Warn of texts, sounds or clips whose dialogues are not told."""
    if columns.raw and KEYS[0] not in table.key_names and len(table.data) > HANDFUL:
        warn_user(
            f"X has no dialogue__id: its {len(table.data)} rows are read as dialogues "
            "of one turn, and context is unused. A table of conversations is made by "
            "skmerc.datasets.to_frame, which reads the names of dialogues, speakers "
            "and turns.",
            NoDialogueWarning,
        )


def _refuse_one_class(classes: np.ndarray, y: np.ndarray) -> None:
    if y.ndim == 1 and len(classes) < 2:
        raise ValueError(
            f"y has one class alone, {classes.tolist()[0]!r}, and a model tells "
            "classes apart: at least two are needed among rows that are no context."
        )


def _without_values(features: Any) -> list:
    """Name the columns that are empty."""
    empty = pd.DataFrame(features).isna().all()
    return empty.index[empty].tolist()


def _cloned(part: Any) -> Any:
    return part if part is None or isinstance(part, str) else clone(part)


def _pipeline(before: list, choice: Choice) -> Pipeline:
    samples = any(hasattr(step, "fit_resample") for _, step in choice.steps)
    kind = SamplingPipeline if samples else Pipeline
    return kind([*before, *choice.steps])


def _refuse_infinite(features: Any) -> None:
    """Refuse numbers in a table that no model computes with, and say where they are.

    Networks do so themselves, and scikit-learn's checks of arrays.
    """
    if not isinstance(features, pd.DataFrame):
        return
    numbers = features.select_dtypes("number")
    if numbers.shape[1]:
        values = numbers.to_numpy(float, na_value=np.nan)
        columns = numbers.columns
        refuse_infinite(values, columns, locate_blocks(columns, len(columns)))


def _refuse_texts(X: Any) -> None:
    if isinstance(X, pd.Series):
        raise ValueError(
            "X is a Series, one column or one row of a table: give the table itself, "
            "of one row as X.loc[[row]]."
        )
    first = next(iter(X), None) if isinstance(X, list | tuple | np.ndarray) else None
    if isinstance(first, list | tuple):  # of the turns of a conversation
        turn = next(iter(first), None)
        first = turn if isinstance(turn, Mapping) else first
    # A sparse matrix may be a dict, too.
    if isinstance(first, Mapping) or (isinstance(X, Mapping) and not issparse(X)):
        raise ValueError(
            f"X is a {type(X).__name__} of turns, and no table yet: "
            "X, y = skmerc.datasets.to_frame(conversations) makes one of a list of "
            "conversations, each a list of turns."
        )
    if isinstance(first, str | bytes):
        raise ValueError(
            f"X is a {type(X).__name__} of texts, which tells nothing of dialogues: "
            "give a table, as skmerc.datasets.to_frame makes it of conversations."
        )
