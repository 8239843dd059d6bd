"""MELD in the feature files that the community passes on."""

from dataclasses import replace
from numbers import Integral

import numpy as np
import pandas as pd

from skmerc._utils.warnings import warn_user
from skmerc.datasets._corpus import PARTS, as_corpus
from skmerc.datasets.formats._members import (
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


def read_features(path, members=None):
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


def join_features(annotated, features, path):
    """Give annotated utterances the features of a file.

    Dialogues that the file lacks have no features; nothing else may differ.
    """
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
