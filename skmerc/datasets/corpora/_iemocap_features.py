"""IEMOCAP in the feature files that the community passes on."""

import re

import numpy as np
import pandas as pd

from skmerc.datasets._corpus import PARTS, TEXT, Corpus
from skmerc.datasets.corpora._iemocap_release import EMOTIONS, gender_of, speaker_names
from skmerc.datasets.formats._members import (
    check_lengths,
    codes_of,
    in_order,
    name_members,
    named_labels,
    part_of,
    read_content,
    read_folder,
    stack_features,
)
from skmerc.frame._texts import decode, decode_latin, is_missing, name_of

# DialogueRNN, MMGCN, COGMEN and their kin; COSMIC and M3NET; SDT and GraphSmile;
# COSMIC without features; GCNet.
LAYOUTS = [
    "ids speakers labels text audio visual sentences train test",
    "speakers labels text text2 text3 text4 sentences train test dev",
    "ids speakers labels text text2 text3 text4 audio visual sentences train test",
    "speakers labels sentences train test dev",
    "ids labels speakers sentences train test",
]
_SPEAKERS_LAYOUT = "ids speakers labels _ _ _ sentences train test"  # MultiEMO
# The records of JOYFUL and COGMEN, and of CORECT (plural), hold one dialogue each.
_FIELDS = {
    "speaker": "speakers",
    "speakers": "speakers",
    "label": "labels",
    "labels": "labels",
    "sentence": "sentences",
    "text": "text",
    "audio": "audio",
    "visual": "visual",
    "sbert_sentence_embeddings": "sbert",
}
_NO_CLASS = (-1, "xxx", "")
_REQUIRED = ("labels", "sentences", "speakers")


def read_features(path, members, n_classes, keep_unlabelled):
    """Read a feature file, or MultiEMO's folder of them.

    Utterances with the label -1 or none are context, if they are to be kept.
    """
    if members is not None:
        _check_required(members)
    if path.is_dir():
        named = read_folder(path, _SPEAKERS_LAYOUT, members)
    else:
        content = read_content(path)
        if isinstance(content, dict):
            named = _name_records(path, content, members)
        else:
            named = name_members(path, content, LAYOUTS, members)
    check_lengths(path, named)
    return _as_corpus(path, named, n_classes, keep_unlabelled)


def _check_required(members):
    if not set(_REQUIRED) <= set(members):
        raise ValueError(
            f"members={list(members)!r}: {', '.join(_REQUIRED)} must be among them."
        )


def _name_records(path, content, members):
    """Sort records, one per dialogue, into members."""
    are_lists = all(isinstance(records, list | tuple) for records in content.values())
    if members is not None or not are_lists or not content.keys() <= set(PARTS):
        raise ValueError(
            f"{path} holds a dict of {list(content)[:5]}, not a list of members, nor "
            "lists of records under 'train', 'dev' and 'test', which need no members."
        )
    named = {name: {} for name in _REQUIRED}
    for part, records in content.items():
        named[part] = [_add_record(path, part, record, named) for record in records]
    return named


def _add_record(path, part, record, named):
    fields = record if isinstance(record, dict) else getattr(record, "__dict__", {})
    dialogue = decode(fields.get("vid"))
    if dialogue is None or dialogue in named["labels"]:
        raise ValueError(
            f"{path}: {part!r} has a record "
            + (f"of {dialogue!r} again" if dialogue else "that names no dialogue 'vid'")
            + "; known are JOYFUL's, COGMEN's and CORECT's, one for each dialogue."
        )
    for field, name in _FIELDS.items():
        if field in fields:
            named.setdefault(name, {})[dialogue] = fields[field]
    return dialogue


def _as_corpus(path, members, n_classes, keep_unlabelled):
    lengths = {name: len(rows) for name, rows in members["labels"].items()}
    _check_dialogues(path, lengths)
    # As objects, or each would take as much as the longest of all.
    names = np.array(list(lengths), dtype=object)
    dialogue = np.repeat(names, list(lengths.values()))
    parts = part_of(path, members)
    codes, labelled = _codes(path, members, keep_unlabelled)
    if n_classes is None:
        n_classes = 6 if np.isin(codes, [4, 5]).any() else 4
    return Corpus(
        dialogue=dialogue,
        turn=np.concatenate([np.arange(length) for length in lengths.values()]),
        speaker=_speakers(path, members, dialogue),
        split=np.array([parts.get(name, "") for name in dialogue]),
        labels={"emotion": named_labels(path, "labels", codes, EMOTIONS[n_classes])},
        blocks=_blocks(path, members),
        metadata=_metadata(members),
        class_names={"emotion": EMOTIONS[n_classes]},
        role=np.where(labelled, "utterance", "context"),
    )


def _codes(path, members, keep_unlabelled):
    """Read the codes of classes, and tell which utterances have one.

    The others get the first one, which nobody reads.
    """
    codes = codes_of(path, members, "labels")
    labelled = np.array([not is_missing(c) and c not in _NO_CLASS for c in codes])
    if labelled.all():
        return codes, labelled
    if not labelled.any():
        raise ValueError(f"{path}: no utterance has a label.")
    if not keep_unlabelled:
        row = int(np.argmin(labelled))
        raise ValueError(
            f"{path}: 'labels' has {codes.tolist()[row]!r}, which is no class, in "
            f"{len(labelled) - labelled.sum()} utterances, first in utterance {row}. "
            "Keep them as context of the others with keep_unlabelled=True."
        )
    codes = codes.copy()
    codes[~labelled] = codes[labelled][0]
    return codes, labelled


def _blocks(path, members):
    others = {*_REQUIRED, *PARTS, "ids"}
    modalities = [name for name in members if name not in others]
    return {name: stack_features(path, members, name) for name in modalities}


def _metadata(members):
    table = {TEXT: list(map(decode_latin, in_order(members, "sentences")))}
    if "ids" in members:
        table["utterance_id"] = list(map(name_of, in_order(members, "ids")))
    return pd.DataFrame(table)


def _check_dialogues(path, names):
    odd = [name for name in names if not re.match(r"Ses0[1-5][FM]_", str(name))]
    if odd:
        raise ValueError(
            f"{path} has the dialogue {odd[0]!r}; IEMOCAP's are called like "
            "'Ses01F_impro01', so this is another corpus."
        )


def _speakers(path, members, dialogue):
    genders = [decode(gender) for gender in in_order(members, "speakers")]
    given = genders
    if "ids" in members:
        given = [gender_of(name_of(name)) for name in in_order(members, "ids")]
    for row, (gender, expected) in enumerate(zip(genders, given, strict=True)):
        if gender not in ("F", "M") or gender != expected:
            raise ValueError(
                f"{path}: 'speakers' has {gender!r} for an utterance of "
                f"{dialogue[row]}, row {row} of the file; known are 'F' and 'M', as "
                "in 'ids' where the file has them."
            )
    return speaker_names(dialogue, genders)
