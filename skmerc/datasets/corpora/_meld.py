"""MELD: friends and their emotions, in annotation files and feature files."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from os import PathLike
from typing import Any, Literal

import numpy as np
import pandas as pd

from skmerc._utils.compat import StrOptions
from skmerc._utils.files import as_path
from skmerc._utils.types import FilePath
from skmerc._utils.warnings import warn_user
from skmerc.datasets._corpus import PARTS, TEXT, as_corpus
from skmerc.datasets.corpora._loading import as_bunch, loader, refuse_absent
from skmerc.datasets.formats._annotations import (
    find_parts,
    known_names,
    read_annotations,
    seconds,
    sort_turns,
    whole_numbers,
)
from skmerc.datasets.formats._members import (
    SPEAKERS_FILE,
    as_frame,
    check_members,
    codes_of,
    features_of,
    named_labels,
    part_of,
    read_folder,
    read_members,
)

CLASS_NAMES = {
    "emotion": [
        "neutral",
        "surprise",
        "fear",
        "sadness",
        "joy",
        "disgust",
        "anger",
    ],
    "sentiment": ["neutral", "positive", "negative"],
}
_LABEL_MEMBERS = {"emotion": "labels", "sentiment": "sentiments"}

_ROBERTA = "text text2 text3 text4"
_LAYOUTS = [
    # COSMIC, without and with features
    "speakers labels sentiments sentences train test dev",
    f"speakers labels sentiments {_ROBERTA} sentences train test dev",
    # DialogueRNN
    "_ speakers labels text audio sentences train test sentiments",
    # MMGCN, M3NET, JOYFUL
    "_ speakers labels text audio visual sentences train test _",
    # SDT
    f"_ speakers labels {_ROBERTA} audio visual sentences train test",
    f"_ speakers labels {_ROBERTA} audio visual sentences train test _",
    # GraphSmile
    f"_ speakers labels sentiments {_ROBERTA} audio visual sentences train test _",
]
_FOLDER_LAYOUT = "_ speakers labels _ _ _ sentences train test _"  # MultiEMO

# Dialogues of such files are numbered through; train has no 60.
_FIRST = {"train": 0, "dev": 1039, "test": 1153}
_N_NUMBERS = 1433

_OFFICIAL, _DYADIC = "{}_sent_emo.csv", "{}_sent_emo_dya.csv"
_COLUMNS = [
    "Utterance",
    "Speaker",
    "Emotion",
    "Sentiment",
    "Dialogue_ID",
    "Utterance_ID",
    "Season",
    "Episode",
    "StartTime",
    "EndTime",
]
_OLD = "Old_Dialogue_ID", "Old_Utterance_ID"


@loader(features=[str, PathLike, None], label=[StrOptions(set(CLASS_NAMES))])
def load_meld(
    path: FilePath,
    *,
    features: FilePath | None = None,
    modalities: str | Sequence[str] | None = None,
    label: Literal["emotion", "sentiment"] = "emotion",
    split: str | Sequence[str] | None = None,
    members: Sequence[str] | None = None,
    return_X_y: bool = False,
) -> Any:
    r"""Read MELD from its annotation files, from a feature file, or from both.

    Parameters
    ----------
    path : str or Path
        The folder of ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and
        ``test_sent_emo.csv``, or of some of them, or one of them; or a feature
        file, see Notes.
    features : str or Path, default=None
        A feature file, to be joined to annotations by dialogue and place in the
        dialogue. Dialogues that it lacks have no features (NaN), with a warning.
    %(choices)s
    label : {"emotion", "sentiment"}, default="emotion"
        What `target` holds.
    %(parts)s
    %(members)s
    %(return_X_y)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

    Warns
    -----
    %(warns)s
    UserWarning
        If a feature file lacks annotated dialogues.

    See Also
    --------
    load_table : Read conversations of your own.
    skmerc.frame.mark_validation : Hold the official dev part out for early stopping.

    Notes
    -----
    Feature files are pickled lists of 7 (COSMIC), 9 (DialogueRNN), 10 (MMGCN, M3NET,
    JOYFUL), 11 (COSMIC with RoBERTa), 12 or 13 (SDT) or 14 members (GraphSmile), or
    the folder of MultiEMO's four files. Nothing in them is executed. Their dialogues
    are numbered through all parts, and belong to the official part whatever the lists
    of the file say of dev. The four layers of RoBERTa are called ``text``, ``text2``,
    ``text3`` and ``text4``. The member of sentiments is called ``sentiments``.

    A folder with no official file but ``train_sent_emo_dya.csv`` and so on is read as
    the dyadic version, whose dialogues are called ``train_dya0``; their clips keep
    their official names.

    `metadata` of the annotations has the utterance, season, episode, start and end in
    the episode (in seconds, NaN where the time is not written as ``HH:MM:SS,mmm``) and
    the name of the clip (``utterance_id``).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_meld
    >>> lines = [
    ...     "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,"
    ...     "Season,Episode,StartTime,EndTime",
    ...     'Guess what!,Ann,joy,positive,0,0,1,2,"00:00:01,000","00:00:02,500"',
    ...     'What?,Bob,surprise,negative,0,1,1,2,"00:00:02,600","00:00:03,000"',
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "dev_sent_emo.csv").write_text("\n".join(lines))
    ...     meld = load_meld(folder)
    >>> meld.data[["dialogue__id", "dialogue__speaker", "utterance"]]
      dialogue__id dialogue__speaker    utterance
    0     dev_dia0               Ann  Guess what!
    1     dev_dia0               Bob        What?
    >>> meld.target
    array(['joy', 'surprise'], dtype='<U8')
    """
    refuse_absent(path)
    if _is_annotation(path):
        corpus = _read_annotations(path)
        if features is not None:
            corpus = _with_features(corpus, as_path(features), members)
    elif features is None:
        corpus = _read_features(path, members)
    else:
        raise ValueError(
            f"{path} is a feature file already; give the folder of the annotations as "
            "path, and one feature file as features."
        )
    return as_bunch("meld", corpus, path, label, modalities, split, return_X_y)


def _is_annotation(path):
    if path.is_dir():
        annotated = any(path.glob(_OFFICIAL.format("*")))
        return annotated or not (path / SPEAKERS_FILE).is_file()
    return path.suffix.lower() == ".csv"


def _read_annotations(path):
    try:
        files = find_parts(path, _OFFICIAL)
    except FileNotFoundError:
        if not list(path.glob(_DYADIC.format("*"))):
            raise
        files = find_parts(path, _DYADIC)
    frames = [_read_part(file, part) for part, file in files.items()]
    return as_corpus(pd.concat(frames, ignore_index=True), CLASS_NAMES)


def _read_part(path, part):
    table = read_annotations(path, _COLUMNS)
    ids = _whole(path, table, "Dialogue_ID", "Utterance_ID")
    clips = _whole(path, table, *_OLD) if _OLD[0] in table else ids
    kind = "dya" if _OLD[0] in table else "dia"
    frame = pd.DataFrame(
        {
            "dialogue": [f"{part}_{kind}{number}" for number in ids[0]],
            "turn": ids[1],
            "speaker": table["Speaker"],
            "split": part,
            "emotion": known_names(path, table, "Emotion", CLASS_NAMES["emotion"]),
            "sentiment": known_names(
                path, table, "Sentiment", CLASS_NAMES["sentiment"]
            ),
            TEXT: table["Utterance"],
            "season": whole_numbers(path, table, "Season"),
            "episode": whole_numbers(path, table, "Episode"),
            "start": seconds(table["StartTime"]),
            "end": seconds(table["EndTime"]),
            "utterance_id": [
                f"{part}_dia{dialogue}_utt{utterance}"
                for dialogue, utterance in zip(*clips, strict=True)
            ],
        }
    )
    return sort_turns(path, frame)


def _whole(path, table, *columns):
    return [whole_numbers(path, table, column) for column in columns]


def _read_features(path, members):
    """Read a feature file, or MultiEMO's folder of them."""
    if path.is_dir():
        named = read_folder(path, _FOLDER_LAYOUT, members)
    else:
        named = read_members(path, _LAYOUTS, members)
    check_members(path, named)
    places = {key: _place(path, key) for key in named["labels"]}
    _check_parts(path, named, places)
    frame = as_frame(named, places)
    class_names = {}
    for kind, name in _LABEL_MEMBERS.items():
        if name in named:
            class_names[kind] = CLASS_NAMES[kind]
            codes = codes_of(path, named, name)
            frame[kind] = named_labels(path, name, codes, CLASS_NAMES[kind])
    return as_corpus(frame, class_names, features_of(path, named))


def _place(path, key):
    """Find the part and the id of a dialogue by its number."""
    if not isinstance(key, Integral) or not 0 <= key < _N_NUMBERS:
        raise ValueError(
            f"{path} has the dialogue {key!r}; MELD's are numbered from 0 to "
            f"{_N_NUMBERS - 1} in feature files, so this is another corpus."
        )
    part = next(part for part in reversed(PARTS) if key >= _FIRST[part])
    return part, f"{part}_dia{key - _FIRST[part]}"


def _check_parts(path, members, places):
    """Demand the official parts; many files count dev to train."""
    for key, part in part_of(path, members).items():
        official, name = places[key]
        if part != official and (part, official) != ("train", "dev"):
            raise ValueError(
                f"{path}: {part!r} lists the dialogue {key}, which is {name} of MELD. "
                "If its numbers are MELD's and its parts are not wanted, call them '_' "
                "in members=[...]."
            )


def _with_features(annotated, path, members):
    """Give annotated utterances the features of a file.

    Dialogues that the file lacks have no features; nothing else may differ.
    """
    features = _read_features(path, members)
    if not features.blocks:
        raise ValueError(f"{path} holds no features; leave features=None.")
    sizes, found = _sizes(annotated), _sizes(features)
    parts = set(annotated.split)
    in_parts = [name.partition("_")[0] in parts for name in found.index]
    _check_sizes(sizes, found[in_parts], path)
    at = _positions(features).get_indexer(_positions(annotated))
    _check_labels(annotated, features, at, path)
    blocks = {
        name: np.where((at < 0)[:, None], np.float32(np.nan), block[at])
        for name, block in features.blocks.items()
    }
    return replace(annotated, blocks=blocks)


def _sizes(corpus):
    return pd.Series(corpus.dialogue).value_counts(sort=False)


def _positions(corpus):
    dialogue = pd.Series(corpus.dialogue)
    return pd.MultiIndex.from_arrays([dialogue, dialogue.groupby(dialogue).cumcount()])


def _check_sizes(sizes, found, path):
    strange = found.index.difference(sizes.index)
    if len(strange):
        raise ValueError(
            f"{path}: 'labels' has the dialogue {strange[0]}, which the annotations "
            "lack."
        )
    if not len(found):
        raise ValueError(f"{path} has no dialogue of the annotated parts.")
    other = found.index[found != sizes[found.index]]
    if len(other):
        raise ValueError(
            f"{path}: 'labels' has {found[other[0]]} utterances in dialogue "
            f"{other[0]}, the annotations have {sizes[other[0]]}."
        )
    lacking = sizes.index.difference(found.index, sort=False)
    if len(lacking):
        warn_user(
            f"{path} lacks {len(lacking)} of the {len(sizes)} annotated dialogues, "
            f"first {lacking[0]}: all modalities are missing there.",
            UserWarning,
        )


def _check_labels(annotated, features, at, path):
    for kind, labels in features.labels.items():
        known = np.flatnonzero(at >= 0)
        expected, given = annotated.labels[kind][known], labels[at[known]]
        wrong = np.flatnonzero(expected != given)
        if len(wrong):
            row = known[wrong[0]]
            raise ValueError(
                f"{path}: {_LABEL_MEMBERS[kind]!r} has {given[wrong[0]]} in dialogue "
                f"{annotated.dialogue[row]} for the utterance {annotated.turn[row]}, "
                f"the annotations have {expected[wrong[0]]}."
            )
