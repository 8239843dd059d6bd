"""Corpora of ConvoKit, in memory or in the folders that it writes."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from skmerc._utils.compat import HasMethods, validate_params
from skmerc._utils.files import as_path
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.tables._to_frame import to_frame
from skmerc.datasets.transcripts._dialogues import name_of_speaker, told_apart
from skmerc.datasets.transcripts._sources import JsonLines, read_json

_UTTERANCES = "utterances.jsonl"
_SPEAKERS = ("speakers.json", "users.json")
_OLD_NAMES = {"root": "conversation_id", "user": "speaker"}
"""Fields as early versions called them, and as later ones do."""


@validate_params(
    {
        "path": [str, PathLike, HasMethods(["iter_utterances", "iter_speakers"])],
        "label": [str, None],
        "speaker_name": [str, None],
        "columns": [list, tuple],
    },
    prefer_skip_nested_validation=True,
)
def load_convokit(
    path: Any,
    *,
    label: str | None = "label",
    speaker_name: str | None = None,
    columns: Sequence[str] = (),
) -> tuple[pd.DataFrame, np.ndarray | None]:
    r"""Read a corpus of ConvoKit, or the folder that it has written.

    Parameters
    ----------
    path : str, Path or convokit.Corpus
        The folder, with ``utterances.jsonl``; and for `speaker_name` with
        ``speakers.json``. Or the corpus itself.
    label : str or None, default="label"
        The field of an utterance, or of its ``"meta"``, that holds its label.
    speaker_name : str, default=None
        What is known of speakers that names them, such as ``"character_name"`` in the
        film dialogues; where two share a name, their id follows. By default speakers
        are called by their ids.
    columns : list of str, default=()
        Other fields of utterances to keep, as :func:`to_frame` does.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 5 + len(columns))
        The table of :func:`to_frame`, in the order of the file.
    y : ndarray of shape (n_utterances,) or None
        The labels, as in :func:`to_frame`; None if no utterance has one.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or a file is not in it.
    ValueError
        If a file is damaged or of another kind, no speaker has such a name, or
        :func:`to_frame` refuses what stands in it.

    Warns
    -----
    TextEncodingWarning
        If texts were mended, with their number.

    See Also
    --------
    to_frame : Read any other conversations.

    Notes
    -----
    Turns are ordered by time, where all utterances of a conversation have one, and
    otherwise by replies. Fields of early versions (``root`` and ``user``, and
    ``users.json``) are read, too.

    References
    ----------
    .. [1] Cornell Conversational Analysis Toolkit, "Data format",
       https://convokit.cornell.edu/documentation/data_format.html.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_convokit
    >>> film = {"conversation_id": "L1", "timestamp": None}
    >>> said = [
    ...     {"id": "L2", "speaker": "u1", "text": "I know.", "reply-to": "L1", **film},
    ...     {"id": "L1", "speaker": "u0", "text": "Late!", "reply-to": None, **film},
    ... ]
    >>> people = {"u0": {"meta": {"role": "ANNA"}}, "u1": {"meta": {"role": "BEN"}}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lines = "\n".join(map(json.dumps, said))
    ...     _ = Path(folder, "utterances.jsonl").write_text(lines)
    ...     _ = Path(folder, "speakers.json").write_text(json.dumps(people))
    ...     X, y = load_convokit(folder, speaker_name="role")
    >>> X[["dialogue__id", "dialogue__turn", "dialogue__speaker", "utterance"]]
      dialogue__id  dialogue__turn dialogue__speaker utterance
    0           L1               1               BEN   I know.
    1           L1               0              ANNA     Late!
    """
    if not isinstance(path, str | PathLike):
        people = {one.id: dict(one.meta) for one in path.iter_speakers()}
        records = list(map(_record_of, path.iter_utterances()))
        if speaker_name is not None:
            records = _renamed(records, _names("the corpus", people, speaker_name))
        return to_frame(records, label=label, columns=columns)
    path = as_path(path)
    if not path.is_dir():
        kind = "is a file; give the folder that it is in" if path.exists() else ""
        error = NotADirectoryError if path.exists() else FileNotFoundError
        raise error(f"{path} {kind or 'does not exist'}.")
    file = path / _UTTERANCES
    with content_of(file, "JSON lines"):
        records = _records(file)
    if speaker_name is not None:
        records = _with_names_of_file(path, records, speaker_name)
    with content_of(file, "JSON lines"):
        return to_frame(records, label=label, columns=columns)


def _record_of(utterance):
    """Tell of an utterance in memory what a file would."""
    return {
        "id": utterance.id,
        "speaker": utterance.speaker.id,
        "conversation_id": utterance.conversation_id,
        "reply-to": utterance.reply_to,
        "timestamp": utterance.timestamp,
        "text": utterance.text,
        "meta": dict(utterance.meta),
    }


def _records(file):
    found = read_json(file)
    values = found if isinstance(found, JsonLines) else [found]
    numbers = found.numbers if isinstance(found, JsonLines) else [1]
    for number, value in zip(numbers, values, strict=True):
        if not isinstance(value, dict):
            raise ValueError(f"{file}: line {number} is no utterance: {value!r:.100}.")
    return [_with_present_names(value) for value in values]


def _with_present_names(record):
    renamed = {
        new: record[old]
        for old, new in _OLD_NAMES.items()
        if old in record and new not in record
    }
    return record | renamed


def _with_names_of_file(folder, records, speaker_name):
    files = [folder / name for name in _SPEAKERS]
    file = next((one for one in files if one.exists()), files[0])
    with content_of(file, "JSON"):
        names = _names(file, _people(file), speaker_name)
    return _renamed(records, names)


def _renamed(records, names):
    """Put the names of speakers in the place of their ids."""
    return [
        record | {"speaker": names.get(key, key) if isinstance(key, str) else key}
        for record in records
        for key in [record.get("speaker")]
    ]


def _people(file):
    """What is known of speakers, by their ids."""
    people = read_json(file)
    if not isinstance(people, dict):
        raise ValueError(f"{file} holds no speakers by their ids.")
    return {
        key: about.get("meta", about)
        for key, about in people.items()
        if isinstance(about, dict)
    }


def _names(where, known, field):
    """Names of speakers, by their ids."""
    names = {
        key: name_of_speaker(meta.get(field), f"{where}: {field!r} of {key!r}")
        for key, meta in known.items()
        if isinstance(meta, dict)
    }
    names = {key: name for key, name in names.items() if name}
    if not names:
        fields = {name for meta in known.values() for name in meta or ()}
        raise ValueError(
            f"{where}: no speaker has {field!r}; known are "
            f"{', '.join(sorted(map(repr, fields))) or 'none':.200}."
        )
    return told_apart(names)
