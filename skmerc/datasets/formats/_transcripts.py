"""Transcripts in pickles: what was said, by whom, and codes of classes."""

import numpy as np
import pandas as pd

from skmerc.datasets._corpus import PARTS, TEXT
from skmerc.datasets.formats._members import (
    check_lengths,
    codes_of,
    in_order,
    named_labels,
    part_of,
    read_members,
    speaker_name,
    stack_features,
)
from skmerc.frame._texts import decode, decode_latin, is_missing, name_of

_ABOUT = {"ids", "speakers", "labels", "sentiments", "acts", *PARTS}


def read_transcripts(path, layouts, members):
    """Read a pickle of a whole corpus: its members by name, and its utterances."""
    named = read_members(path, layouts, members)
    check_members(path, named)
    return named, as_frame(named, _places_of(path, named))


def check_members(path, members):
    """Demand what every reader needs, and that all members have the same lengths."""
    lacking = [name for name in ("speakers", "labels") if name not in members]
    if not members.keys() - _ABOUT:
        lacking.append("sentences")
    if lacking:
        raise ValueError(
            f"{path}: no member is called {lacking[0]!r}; see the parameter members."
        )
    check_lengths(path, members)
    for key, sentences in members.get("sentences", {}).items():
        if not all(map(_is_text, sentences)):
            raise ValueError(
                f"{path}: 'sentences' holds something else than text in dialogue "
                f"{key!r}; see the parameter members."
            )


def _is_text(sentence):
    return is_missing(sentence) or isinstance(decode(sentence), str)


def _places_of(path, members):
    """Tell the part of each dialogue, and an id: the part and the file's own name."""
    parts = part_of(path, members)
    return {
        key: (parts[key], f"{parts[key]}_{name_of(key)}")
        if key in parts
        else ("", name_of(key))
        for key in members["labels"]
    }


def as_frame(members, places):
    """Put utterances into a frame; places has the part and the id of each dialogue."""
    lengths = [len(rows) for rows in members["labels"].values()]
    parts, ids = zip(*(places[key] for key in members["labels"]), strict=True)
    keys = {
        # As objects, or each would take as much as the longest of all.
        "dialogue": np.repeat(np.array(ids, dtype=object), lengths),
        "turn": np.concatenate([np.arange(length) for length in lengths]),
        "speaker": [speaker_name(name) for name in in_order(members, "speakers")],
        "split": np.repeat(parts, lengths),
    }
    if "sentences" in members:
        keys[TEXT] = list(map(decode_latin, in_order(members, "sentences")))
    return pd.DataFrame(keys)


def features_of(path, members):
    """Stack the features of all members that hold some: dict of modality to array."""
    modalities = [name for name in members if name not in {*_ABOUT, "sentences"}]
    return {name: stack_features(path, members, name) for name in modalities}


def name_codes(path, members, name, sizes, class_names):
    """Name the codes of a member, whose order differs between files.

    `sizes` tells the classes apart by their utterances in the whole corpus; other
    files need `class_names`, the classes in the order of their codes.
    """
    codes = codes_of(path, members, name)
    if class_names is None:
        counts = [int((codes == code).sum()) for code in range(len(sizes))]
        class_of = {size: name for name, size in sizes.items()}
        class_names = [class_of.get(count) for count in counts]
        if None in class_names:
            raise ValueError(
                f"{path}: {name!r} has the codes 0 to {len(sizes) - 1} "
                f"{', '.join(map(str, counts))} times, which is not the whole corpus, "
                "so nothing tells which class is which. Name them in the order of "
                f"their codes: class_names=[...] of {', '.join(sizes)}."
            )
    elif sorted(class_names) != sorted(sizes):
        raise ValueError(
            f"class_names={list(class_names)!r}: give {', '.join(sizes)}, in the order "
            "of the codes of the file."
        )
    return named_labels(path, name, codes, list(class_names)).astype(str)
