"""Conversations from plain Python objects, files and tables of any library."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Number
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from skmerc._utils.compat import validate_params
from skmerc._utils.files import as_path
from skmerc._utils.warnings import warn_user
from skmerc.datasets._corpus import TEXT
from skmerc.datasets._texts import clean_texts
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.tables._records import (
    DIALOGUE_FIELDS,
    as_items,
    fields_of,
    read_utterances,
)
from skmerc.datasets.tables._untidy import (
    note_duplicates,
    note_empty_texts,
    note_spellings,
    tell_of_single_turns,
    tell_of_unread,
    words_of_nothing,
)
from skmerc.datasets.tables._utterance_order import TimeFields, field_of, find_turns
from skmerc.exceptions import UntidyTableWarning
from skmerc.frame._columns import KEYS, as_text, make_keys
from skmerc.frame._labels import SEVERAL_LABELS
from skmerc.frame._names import kind_of
from skmerc.frame._texts import (
    decode,
    find_spellings,
    in_one_spelling,
    is_blank,
    refuse_alike,
)

_SEVERAL = (list, tuple, set, frozenset, dict, np.ndarray)


@validate_params(
    {
        "dialogues": "no_validation",  # which would print all of it
        "text": [str],
        "label": [str, None],
        "speaker": [str, None],
        "columns": [list, tuple],
        "dialogue": [str, None],
        "turn": [str, None],
        "timestamp": [str, None],
        "day_first": ["boolean", None],
        "normalize_labels": ["boolean"],
        "normalize_speakers": ["boolean"],
        "encoding": [str, None],
    },
    prefer_skip_nested_validation=True,
)
def to_frame(
    dialogues: Any,
    *,
    text: str = "text",
    label: str | None = "label",
    speaker: str | None = "speaker",
    columns: Sequence[str] = (),
    dialogue: str | None = None,
    turn: str | None = "turn",
    timestamp: str | None = "timestamp",
    day_first: bool | None = None,
    normalize_labels: bool = False,
    normalize_speakers: bool = False,
    encoding: str | None = None,
) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Turn conversations into a table of utterances and their labels.

    Parameters
    ----------
    dialogues : list, DataFrame, str or Path
        One of

        - a list of dialogues, each a list of utterances, or a dict that holds
          this list under ``"utterances"`` or ``"turns"`` and, if you like, its
          name under ``"id"``. An utterance is a dict;
        - a list of utterances, each a dict that names its dialogue under
          ``"dialogue"``, ``"dialogue_id"`` or ``"conversation_id"``, or under the
          field that `dialogue` says;
        - a DataFrame with such a column or level of the index, a row for each
          utterance, as ConvoKit's ``corpus.get_utterances_dataframe()``, or the
          ``Corpus`` itself, or a table that this function or a reader of transcripts
          has made, whose keys and texts are read;
        - a table of polars, Arrow, Hugging Face or another library, which has
          ``to_pandas`` or ``__arrow_c_stream__``;
        - the path of such a table in a file that ends in ``.parquet``, ``.csv``,
          ``.csv.gz``, ``.tsv`` or ``.tsv.gz``; ids stay the text that they are, "007"
          too;
        - the path of another file, of JSON lines, each of them a dialogue or each an
          utterance, as ConvoKit's ``utterances.jsonl``, or of one line,
          a list of these.
    text : str, default="text"
        The field of an utterance that holds what was said; None, NaN or empty where
        that is missing. Bytes are decoded (UTF-8, or else Windows-1252), and control
        characters that Windows-1252 has quotation marks and dashes for become these;
        a warning counts both.
    label : str or None, default="label"
        The field that holds its label, text or a number. It is looked up in
        ``"meta"`` too (in a DataFrame: ``"meta.<label>"``). With None labels
        are not read.
    speaker : str or None, default="speaker"
        The field that holds who speaks. Where it is absent or empty, and with None, the
        speaker is unknown: one person in each dialogue.
    columns : list of str, default=()
        Other fields to keep, as columns of X, such as paths of sound files.
    dialogue : str or None, default=None
        The field that names the dialogue of an utterance outside of a list; by default
        the first there is of those above.
    turn, timestamp : str or None, default="turn" and "timestamp"
        The fields that order utterances; see Notes. None reads none.
    day_first : bool or None, default=None
        Whether ``04/03/2026`` is the fourth of March. By default another date of the
        field must tell, unless the order of turns is the same either way.
    normalize_labels, normalize_speakers : bool, default=False
        Whether to write labels, or speakers, in lower case, with single blanks and none
        around them, so that "JOY" and "joy " are one.
    encoding : str or None, default=None
        The encoding of a file of text, such as ``"cp1252"`` where a spreadsheet of
        Windows has saved it. By default UTF-8, or what a byte order mark says.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 5 + len(columns))
        The keys, see :func:`skmerc.frame.make_frame`, the column ``"utterance"``,
        what was said, and those of `columns`. Utterances without a label have the role
        ``"context"``, unless none has one. Rows stand in the order given, with
        the index of the DataFrame if there is one.
    y : ndarray of shape (n_utterances,) or None
        The labels, with None (or NaN among numbers) in rows of role ``"context"``.
        None if no utterance has a label, as in new conversations to predict.

    Raises
    ------
    TypeError
        If a dialogue, a speaker or the id of an utterance is a list, a dict or
        something else that has no value of its own, or `dialogues` is no table.
    ValueError
        If an utterance has no text, no utterance has a field that was named,
        dialogues share a name or are 7 here and 7.0 there, names or labels differ in
        blanks around them alone, a list of utterances names several dialogues,
        labels mix text and numbers, times mix those with a zone, those without and
        numbers in a dialogue, the file is no JSON lines, or it is unclear which
        dialogue an utterance belongs to.

    Warns
    -----
    TextEncodingWarning
        If texts were decoded or mended, with their number.
    UnreadColumnWarning
        If fields look by their names like a key or a label that was not found.
    UntidyTableWarning
        If rows stand twice, texts are missing or blank, labels or speakers differ only
        in case or blanks, times do not order what they should or go against the
        turns, or cells of a CSV file are written ``NA`` or ``None`` among labels that
        are words, and count as empty, or labels elsewhere are such words, and count as
        classes. All else stays as it is.
    NoDialogueWarning
        If each utterance names another dialogue.

    See Also
    --------
    check_table : Say what to know of a table before training.
    load_table : Read a table of features.

    Notes
    -----
    Utterances in a list of their own are in order, unless `turn` or `timestamp` names a
    field. Others are ordered by the field `turn`, if they have it (and `timestamp` does
    not name another one alone); otherwise by `timestamp`, in dialogues where all have
    one, then by the length of the chain of replies that leads to them
    (``"reply_to"`` or ``"reply-to"``, with ``"id"``), then as they stand.
    ConvoKit's film dialogues, for example, have no times and stand in reverse.

    A time is a number, a date or span of Python, NumPy or pandas, or text such as
    ``2021-03-28T02:30``, ``28/03/2021 02:30``, ``28.03.2021, 2:30 pm``,
    ``28 March 2021``, ``00:01:30`` or ``90 s``. One without a zone is taken as it
    stands, whatever the zone of the machine. Times of day that begin anew within a
    dialogue, as after midnight, are refused.

    Examples
    --------
    >>> from skmerc.datasets import to_frame
    >>> call = [
    ...     {"speaker": "Ann", "text": "You are late.", "label": "anger"},
    ...     {"speaker": "Bob", "text": "I know."},
    ...     {"speaker": "Ann", "text": "Never mind.", "label": "neutral"},
    ... ]
    >>> X, y = to_frame([call])
    >>> X[["dialogue__turn", "dialogue__role", "utterance"]]
       dialogue__turn dialogue__role      utterance
    0               0      utterance  You are late.
    1               1        context        I know.
    2               2      utterance    Never mind.
    >>> y.tolist()
    ['anger', None, 'neutral']
    """
    _check_columns(columns)
    fields = Fields(
        dialogue, TimeFields(turn, timestamp, day_first), text, label, speaker, columns
    )
    mend = Mending(normalize_labels, normalize_speakers)
    if not isinstance(dialogues, str | PathLike):
        if encoding is not None:
            raise ValueError(
                f"encoding={encoding!r} is for the path of a file, and dialogues is a "
                f"{type(dialogues).__name__}."
            )
        return _to_frame(as_items(dialogues, (), ()), fields, mend)
    numbers = [name for name in (label, turn, KEYS[1], *columns) if name is not None]
    path = as_path(dialogues)
    with content_of(path, "a table of utterances"):
        items = as_items(path, fields.names, numbers, encoding)
        return _to_frame(items, fields, mend)


@dataclass(frozen=True)
class Fields:
    """What the fields of an utterance are called."""

    dialogue: str | None
    times: TimeFields
    text: str
    label: str | None
    speaker: str | None
    columns: Sequence[str]

    @property
    def names(self):
        """All names, those that may be the dialogue's among them."""
        dialogue = [self.dialogue] if self.dialogue else DIALOGUE_FIELDS
        named = self.times.turn, self.times.timestamp, self.text, self.label
        names = [*dialogue, *named, self.speaker, *self.columns]
        return [name for name in names if name is not None]

    @property
    def dialogue_names(self):
        """The fields that may name the dialogue."""
        if self.dialogue is not None:
            return [self.dialogue]
        others = {self.text, self.label, self.speaker, *self.columns}
        return [name for name in DIALOGUE_FIELDS if name not in others]

    @property
    def demanded(self):
        """The fields that some utterance must have, since they were named."""
        wanted = {
            self.label: "label",
            self.speaker: "speaker",
            self.times.turn: "turn",
            self.times.timestamp: "timestamp",
        }
        named = [name for name, default in wanted.items() if name != default]
        return [name for name in named if name not in KEYS] + [*self.columns]

    def with_keys_of(self, dialogues):
        """Read the keys and the texts of a table that this package has made.

        They take the place of names that nobody has given, and that it does not have.
        """
        names = {*_names_in(dialogues)}
        if KEYS[0] not in names or self.dialogue not in (None, KEYS[0]):
            return self
        if self.dialogue is None and names.intersection(DIALOGUE_FIELDS):
            return self

        def own(given, default, key):
            return key if given == default and default not in names else given

        times = self.times
        if times.timestamp in ("timestamp", None):  # or the times that were named count
            times = replace(times, turn=own(times.turn, "turn", KEYS[1]))
        return replace(
            self,
            dialogue=KEYS[0],
            times=times,
            text=own(self.text, "text", TEXT),
            speaker=own(self.speaker, "speaker", KEYS[2]),
        )


@dataclass(frozen=True)
class Mending:
    """What is written in one spelling."""

    labels: bool
    speakers: bool


def _names_in(items):
    """Names of the fields of a table, or of the first of a list of utterances."""
    if isinstance(items, pd.DataFrame):
        return items.columns
    return items[0] if items and isinstance(items[0], dict) else ()


def _to_frame(dialogues, fields, mend):
    fields = fields.with_keys_of(dialogues)
    records, ids, turns = read_utterances(dialogues, fields.dialogue_names)
    dialogue = as_text(pd.Series(ids, dtype=object), "dialogue")
    places = _places(records, dialogue)
    _refuse_absent(records, fields)
    notes = []
    in_order = turns is not None
    if not in_order or fields.times.is_named:
        turns = find_turns(records, dialogue, places, fields.times, notes)
    y, context = _labels(records, places, fields.label, mend.labels)
    speakers = _speakers(records, fields.speaker, mend.speakers)
    X = make_keys(
        len(records),
        dialogue=dialogue,
        turn=turns,
        speaker=speakers,
        role=_roles(records, context),
    )
    X[TEXT] = _texts(records, places, fields.text)
    for column in fields.columns:
        X[column] = _column([field_of(record, column) for record in records], column)
    tell_of_unread(records, fields, in_order)
    if not in_order:
        tell_of_single_turns(records, dialogue, fields)
    note_empty_texts(X[TEXT], notes)
    note_duplicates(X, y, records, fields, notes)
    notes += filter(None, [words_of_nothing(y)])
    note_spellings("label", y, "normalize_labels", notes)
    note_spellings("speaker", X[KEYS[2]], "normalize_speakers", notes)
    if notes:
        warn_user(_sentence(notes), UntidyTableWarning)
    if isinstance(dialogues, pd.DataFrame) and len(X) == len(dialogues):
        X = X.set_axis(dialogues.index)
    return X, y


def _roles(records, context):
    """Tell what rows are for; those held out or made up stay so."""
    given = pd.Series([record.get(KEYS[3]) for record in records], dtype=object)
    kept = given.where(given.isin(["validation", "synthetic"]), "utterance")
    return np.where(context, "context", kept)


def _speakers(records, name, mend):
    given = [None if name is None else field_of(record, name) for record in records]
    if mend:
        given = [in_one_spelling(decode(speaker)) for speaker in given]
    return pd.Series(given, dtype=object)


def _check_columns(columns):
    kept = {*KEYS, TEXT}
    wrong = [name for name in columns if not isinstance(name, str) or name in kept]
    if wrong:
        raise ValueError(
            f"columns holds {wrong[0]!r}; give names of other fields than "
            f"{', '.join(sorted(kept))}."
        )


def _places(records, dialogue):
    """Say where each utterance is, for messages."""
    numbers = dialogue.groupby(dialogue, sort=False).cumcount()
    places = [
        f"Utterance {number} of dialogue {key!r}"
        for number, key in zip(numbers, dialogue, strict=True)
    ]
    for record, place in zip(records, places, strict=True):
        if not isinstance(record, dict):
            raise ValueError(f"{place} is a {type(record).__name__}, not a dict.")
    return places


def _refuse_absent(records, fields):
    """Refuse names that no utterance has; that of the label may be empty in all."""
    for name in filter(None, fields.demanded):
        if any(field_of(record, name) is not None for record in records):
            continue
        if not any(name in record for record in records):
            raise ValueError(
                f"No utterance has the field {name!r}; the first one has "
                f"{fields_of(records[0])}."
            )
        if name != fields.label:
            raise ValueError(
                f"The field {name!r} is empty in all utterances. Leave its name out, "
                "or name another one."
            )


def _sentence(notes):
    text = "; ".join(notes)
    return f"{text[0].upper()}{text[1:]}."


def _texts(records, places, name):
    texts = [field_of(record, name) for record in records]
    for said, record, place in zip(texts, records, places, strict=True):
        is_there = isinstance(decode(said), str) or (said is None and name in record)
        if not is_there:
            found = f"{name!r} is {said!r}" if name in record else f"{name!r} is absent"
            like = [n for n in record if kind_of(n) == "text" and n != name]
            hint = f" It may be {like[0]!r}: text={like[0]!r}." if like else ""
            raise ValueError(
                f"{place} has no text: {found}, among {fields_of(record)}. Give what "
                f"was said as one text.{hint}"
            )
    return clean_texts(
        texts, f"The field {name!r}", lambda at: f"{places[at]}: {name!r}"
    )


def _column(values, name):
    try:
        return pd.Series(values)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"The field {name!r} holds half a character ({error.object!r:.200}); read "
            "it again with its right encoding."
        ) from error


def _is_absent(label):
    return label is None or is_blank(label)


def _labels(records, places, name, mend):
    """Return the labels, None or NaN where one is missing, and where that is."""
    labels = [
        None if name is None else decode(field_of(record, name)) for record in records
    ]
    if mend:
        labels = list(map(in_one_spelling, labels))
    there = np.array([not _is_absent(label) for label in labels])
    if not there.any():
        return None, np.zeros(len(labels), dtype=bool)
    kind = _kind_of_labels(labels, there, places)
    is_whole_kind = kind is str or any(isinstance(label, bool) for label in labels)
    missing = None if is_whole_kind else np.nan
    labels = [
        x if is_there else missing for x, is_there in zip(labels, there, strict=True)
    ]
    if kind is str:
        _refuse_alike(labels)
    has_none = is_whole_kind and not there.all()
    return np.array(labels, dtype=object if has_none else None), ~there


def _kind_of_labels(labels, there, places):
    """Tell whether labels are text or numbers; refuse those of both kinds."""
    first = labels[np.argmax(there)]
    kind = str if isinstance(first, str) else Number
    for label, is_there, place in zip(labels, there, places, strict=True):
        if is_there and not isinstance(label, kind):
            several = isinstance(label, _SEVERAL)
            how = f" Read the rest with label=None. {SEVERAL_LABELS}" if several else ""
            raise ValueError(
                f"{place} has the label {label!r:.200}, and the first of all is "
                f"{first!r:.200}; labels are text, or numbers, in all of them.{how}"
            )
    return kind


def _refuse_alike(labels):
    try:
        refuse_alike(labels, "label")
    except ValueError as error:
        groups = [group.items() for group in find_spellings(labels)]
        told = [f"{text!r} ({n})" for group in groups for text, n in group]
        raise ValueError(
            f"{error} Those that differ in blanks or case are {', '.join(told)}; "
            "normalize_labels=True writes them in one way."
        ) from None
