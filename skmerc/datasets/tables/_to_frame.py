"""Conversations from plain Python objects, JSON lines and tables of ConvoKit."""

import json
from numbers import Number
from pathlib import Path

import numpy as np
import pandas as pd

from skmerc._utils.compat import HasMethods, validate_params
from skmerc.datasets._corpus import TEXT
from skmerc.datasets._texts import clean_texts
from skmerc.datasets.formats._csv_dialect import marked_encoding
from skmerc.datasets.formats._files import check_file, content_of
from skmerc.datasets.tables._utterance_order import field_of, find_turns
from skmerc.frame._columns import KEYS, as_text, make_keys
from skmerc.frame._texts import decode, is_blank, is_missing, refuse_alike

_DIALOGUE_FIELDS = ("dialogue", "dialogue_id", "conversation_id")
_PACKED = b"\x1f\x8b"
_UTTERANCES_FIELDS = ("utterances", "turns")


@validate_params(
    {
        "dialogues": [
            str,
            Path,
            list,
            tuple,
            pd.DataFrame,
            HasMethods("to_pandas"),
        ],
        "text": [str],
        "label": [str, None],
        "speaker": [str],
        "columns": [list, tuple],
    },
    prefer_skip_nested_validation=True,
)
def to_frame(dialogues, *, text="text", label="label", speaker="speaker", columns=()):
    """Turn conversations into a table of utterances and their labels.

    Parameters
    ----------
    dialogues : list, DataFrame, str or Path
        One of

        - a list of dialogues, each a list of utterances, or a dict that holds
          this list under ``"utterances"`` or ``"turns"`` and, if you like, its
          name under ``"id"``. An utterance is a dict;
        - a list of utterances, each a dict that names its dialogue under
          ``"dialogue"``, ``"dialogue_id"`` or ``"conversation_id"``;
        - a DataFrame with such a column or level of the index, a row for each
          utterance, as ConvoKit's ``corpus.get_utterances_dataframe()``;
        - a table of polars, Arrow or Hugging Face, which has ``to_pandas``;
        - the path of a file of JSON lines, each of them a dialogue or each an
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
    speaker : str, default="speaker"
        The field that holds who speaks. Where it is absent or empty the speaker
        is unknown: one person in each dialogue.
    columns : list of str, default=()
        Other fields to keep, as columns of X, such as paths of sound files.

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
        something else that has no value of its own.
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

    See Also
    --------
    load_table : Read a table of features.

    Notes
    -----
    Utterances in a list of their own are in order. Others are ordered by the field
    ``"turn"``, if they have it; otherwise by ``"timestamp"``, in dialogues where
    all have one (a number, a date of Python, NumPy or pandas, or text such as
    ``"2021-03-28T02:30"``; one without a zone is taken as it stands, whatever the zone
    of the machine), then by the length of the chain of replies that leads to them
    (``"reply_to"`` or ``"reply-to"``, with ``"id"``), then as they stand.
    ConvoKit's film dialogues, for example, have no times and stand in reverse.

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
    if hasattr(dialogues, "to_pandas"):
        dialogues = dialogues.to_pandas()
    if not isinstance(dialogues, str | Path):
        return _to_frame(dialogues, text, label, speaker, columns)
    with content_of(dialogues, "JSON lines"):
        items = _read_json_lines(Path(dialogues))
        return _to_frame(items, text, label, speaker, columns)


def _to_frame(dialogues, text, label, speaker, columns):
    others = {text, label, speaker, *columns}
    names = [name for name in _DIALOGUE_FIELDS if name not in others]
    records, ids, turns = _read(dialogues, names)
    dialogue = as_text(pd.Series(ids, dtype=object), "dialogue")
    places = _places(records, dialogue)
    wanted = {"label": label, "speaker": speaker}
    _refuse_absent(records, [n for default, n in wanted.items() if n != default])
    _refuse_absent(records, columns)
    y, context = _labels(records, places, label)
    X = make_keys(
        len(records),
        dialogue=dialogue,
        turn=find_turns(records, dialogue, places) if turns is None else turns,
        speaker=pd.Series([field_of(r, speaker) for r in records], dtype=object),
        role=np.where(context, "context", "utterance"),
    )
    X[TEXT] = _texts(records, places, text)
    for column in columns:
        X[column] = _column([field_of(record, column) for record in records], column)
    if isinstance(dialogues, pd.DataFrame):
        X = X.set_axis(dialogues.index)
    return X, y


def _check_columns(columns):
    kept = {*KEYS, TEXT}
    wrong = [name for name in columns if not isinstance(name, str) or name in kept]
    if wrong:
        raise ValueError(
            f"columns holds {wrong[0]!r}; give names of other fields than "
            f"{', '.join(sorted(kept))}."
        )


def _read(dialogues, names):
    """Return all utterances, the dialogue of each, and turns if they are in order."""
    if isinstance(dialogues, pd.DataFrame):
        dialogues = _records(dialogues)
    if not len(dialogues):
        raise ValueError("There is no dialogue.")
    listed = [_utterances_of(dialogue) for dialogue in dialogues]
    if all(utterances is None for utterances in listed):
        return dialogues, _named_dialogues(dialogues, names), None
    return _flatten(dialogues, listed, names)


def _read_json_lines(path):
    check_file(path)
    data = path.read_bytes()
    encoding = marked_encoding(data)
    if encoding:
        data = data.decode(encoding).encode()
    if data.startswith(_PACKED):
        raise ValueError(f"{path} is packed by gzip; unpack it first.")
    lines = enumerate(data.splitlines(), start=1)
    items = [_parse(path, number, line) for number, line in lines if line.strip()]
    # What pandas writes as records is one line, which is no dialogue.
    is_list = len(items) == 1 and isinstance(items[0], list)
    return items[0] if is_list and all(map(_is_of_its_own, items[0])) else items


def _is_of_its_own(item):
    """Tell whether this is a dialogue, or an utterance that names its dialogue."""
    named = isinstance(item, dict) and not item.keys().isdisjoint(_DIALOGUE_FIELDS)
    return named or _utterances_of(item) is not None


def _parse(path, number, line):
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: line {number} is no JSON ({error}). Each line is a dialogue or "
            "an utterance; if the file is one list, give what json.load returns."
        ) from error


def _records(frame):
    """Make a dict of each row, with what stands in a named index."""
    names = [name for name in frame.index.names if name is not None]
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice) or len(set(names)) < len(names):
        name = twice[0] if len(twice) else names[0]
        raise ValueError(f"The table has {name!r} twice; rename or drop one.")
    records = frame.to_dict("records")
    for name in set(names) - set(frame.columns):
        values = frame.index.get_level_values(name)
        records = [r | {name: v} for r, v in zip(records, values, strict=True)]
    return records


def _utterances_of(dialogue):
    if isinstance(dialogue, list | tuple):
        return dialogue
    if isinstance(dialogue, dict):
        return next((dialogue[f] for f in _UTTERANCES_FIELDS if f in dialogue), None)
    return None


def _flatten(dialogues, listed, names):
    records, ids, turns, seen = [], [], [], set()
    for number, (dialogue, utterances) in enumerate(
        zip(dialogues, listed, strict=True)
    ):
        given = decode(dialogue.get("id")) if isinstance(dialogue, dict) else None
        given = str(number) if is_missing(given) else given
        key = str(given)
        if not isinstance(utterances, list | tuple) or not utterances or key in seen:
            what = "stands twice" if key in seen else "is no list of utterances"
            raise ValueError(f"Dialogue {key!r} (number {number}) {what}.")
        _refuse_several(utterances, names, f"Dialogue {key!r} (number {number})")
        seen.add(key)
        records += utterances
        ids += [given] * len(utterances)
        turns += range(len(utterances))
    return records, ids, turns


def _refuse_several(utterances, names, where):
    """Refuse a list, said to be a dialogue, whose utterances name several."""
    for name in names:
        records = [record for record in utterances if isinstance(record, dict)]
        given = {str(decode(field_of(record, name))) for record in records}
        if len(given) > 1:
            raise ValueError(
                f"{where} is one list, and its utterances name {len(given)} under "
                f"{name!r}, such as {', '.join(map(repr, sorted(given)[:2]))}. Give "
                "the utterances as they are, without a list around them, or a list "
                "for each dialogue."
            )


def _named_dialogues(records, names):
    odd = [at for at, record in enumerate(records) if not isinstance(record, dict)]
    if odd:
        raise ValueError(
            f"Item {odd[0]} is a {type(records[odd[0]]).__name__}; give lists of "
            "utterances, or dicts."
        )
    name = next((name for name in names if name in records[0]), None)
    ids = [field_of(record, name) for record in records]
    at = next((at for at, key in enumerate(ids) if key is None), None)
    if at is not None:
        raise ValueError(
            f"Utterance {at} does not name its dialogue under "
            f"{' or '.join(map(repr, [name] if name else _DIALOGUE_FIELDS))}; it has "
            f"{', '.join(map(repr, records[at])) or 'nothing'}. Rename the field; or, "
            "if the list is one dialogue, give it within a list."
        )
    return ids


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


def _refuse_absent(records, names):
    for name in names:
        if name and all(field_of(record, name) is None for record in records):
            raise ValueError(
                f"No utterance has the field {name!r}; the first one has "
                f"{', '.join(map(repr, records[0]))}."
            )


def _texts(records, places, name):
    texts = [field_of(record, name) for record in records]
    for said, record, place in zip(texts, records, places, strict=True):
        is_there = isinstance(decode(said), str) or (said is None and name in record)
        if not is_there:
            found = f"{name!r} is {said!r}" if name in record else f"{name!r} is absent"
            raise ValueError(
                f"{place} has no text: {found}, among "
                f"{', '.join(map(repr, record))}. Give what was said as one text."
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


def _labels(records, places, name):
    """Return the labels, None or NaN where one is missing, and where that is."""
    labels = [
        None if name is None else decode(field_of(record, name)) for record in records
    ]
    there = np.array([not _is_absent(label) for label in labels])
    if not there.any():
        return None, np.zeros(len(labels), dtype=bool)
    first = labels[np.argmax(there)]
    kind = str if isinstance(first, str) else Number
    for label, is_there, place in zip(labels, there, places, strict=True):
        if is_there and not isinstance(label, kind):
            raise ValueError(
                f"{place} has the label {label!r}, and the first of all is {first!r}; "
                "labels are text, or numbers, in all of them."
            )
    missing = None if kind is str else np.nan
    labels = [
        x if is_there else missing for x, is_there in zip(labels, there, strict=True)
    ]
    if kind is str:
        refuse_alike(labels, "label")
    gaps_in_text = kind is str and not there.all()
    return np.array(labels, dtype=object if gaps_in_text else None), ~there
