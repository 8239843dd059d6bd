"""Pickles of MMSA, MulT and others: a dict for each part.

Their arrays are of (utterances, frames, features).
"""

import re

import numpy as np
import pandas as pd

from skmerc.datasets.formats._clips import (
    Clips,
    mean_of_frames,
    refuse_codes,
    stack_parts,
    targets_of,
)
from skmerc.datasets.formats._members import as_array
from skmerc.frame._numbers import find_no_number
from skmerc.frame._texts import decode, is_missing, name_of

_PARTS = {"train": "train", "valid": "dev", "test": "test"}
_MODALITIES = {"text": "text", "audio": "audio", "vision": "visual"}
_NUMBERED = r"(.+)\$_\$(\d{1,18})"
_NUMBERED_OTHERWISE = rf"{_NUMBERED}|(.+)\[(\d{{1,18}})\]|(.+)_(\d{{1,18}})"
_COLUMNS = {"id": "id", "raw_text": "utterance", "annotations": "annotation"}


def read_mmsa(path, content):
    """Read the parts that are there; frames are averaged."""
    are_dicts = all(isinstance(part, dict) for part in content.values())
    if not content or not are_dicts or content.keys() - _PARTS.keys():
        raise ValueError(
            f"{path} holds a dict of {', '.join(map(repr, list(content)[:8]))}; known "
            f"are the parts {', '.join(map(repr, _PARTS))}, each a dict."
        )
    parts = {ours: content[key] for key, ours in _PARTS.items() if key in content}
    present = set().union(*parts.values())
    tables = [_rows(path, name, part, present) for name, part in parts.items()]
    rows = pd.concat(tables, ignore_index=True)
    _refuse_twice(path, rows)
    blocks, left_out = {}, {}
    for key, ours in _MODALITIES.items():
        if key in present:
            means = [_means(path, name, part, key) for name, part in parts.items()]
            blocks[ours] = stack_parts(path, key, [block for block, _ in means])
            left_out[ours] = sum(count for _, count in means)
    labels = [_labels(path, name, part) for name, part in parts.items()]
    targets = targets_of(stack_parts(path, "labels", labels))
    return Clips(rows, targets, blocks, left_out)


def _refuse_twice(path, rows):
    """Refuse an utterance that stands twice, or in two parts."""
    for names in (["id"], ["dialogue", "turn"]):
        twice = np.flatnonzero(rows.duplicated(names, keep=False))
        if len(twice):
            key = rows["id"][twice[0]]
            same = rows[names].eq(rows.loc[twice[0], names]).all(axis=1)
            parts = " and ".join(map(repr, rows["split"][same].unique()))
            raise ValueError(
                f"{path}: the id {key!r} stands {same.sum()} times, in {parts}; "
                f"{rows.duplicated(names).sum()} utterances of {len(rows)} stand there "
                "before. Leave out those that were written twice."
            )


def _rows(path, name, part, present):
    columns = {
        ours: list(_of_all(path, name, part, key))
        for key, ours in _COLUMNS.items()
        if key in present or key == "id"
    }
    places = _places(path, name, part)
    columns["id"] = ["_".join(_words(key)) for key in columns["id"]]
    for kind in columns.keys() - {"utterance", "id"}:
        columns[kind] = [None if is_missing(v) else name_of(v) for v in columns[kind]]
    videos, turns = zip(*places, strict=True) if places else ((), ())
    # Of a part without utterances, too, or the turns of all parts become floats.
    turns = np.array(turns, dtype=int)
    return pd.DataFrame({"dialogue": videos, "turn": turns, "split": name, **columns})


def _labels(path, name, part):
    """Read a score of each utterance, or six emotions, or both: a column each."""
    is_plain = "regression_labels" not in part and "labels" in part
    key = "labels" if is_plain else "regression_labels"
    given = _of_all(path, name, part, key)
    try:
        numbers = np.asarray(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: in the part {name!r}, {key!r} holds something else than numbers "
            f"({error})."
        ) from error
    labels = numbers.reshape(len(given), -1 if len(given) else 1)
    if labels.ndim != 2 or labels.shape[1] not in ((1, 6, 7) if is_plain else (1,)):
        known = ", six emotions or a score and six emotions" if is_plain else ""
        raise ValueError(
            f"{path}: in the part {name!r}, {key!r} has the shape {numbers.shape}; one "
            f"score for each utterance{known} is known."
        )
    if is_plain and labels.shape[1] == 1 and as_array(given).dtype.kind in "iub":
        refuse_codes(path, labels)
    return labels


def _places(path, name, part):
    """Find the video of each utterance, and its number or the rank of its start."""
    keys = [_words(key) for key in _of_all(path, name, part, "id")]
    if "regression_labels" in part:
        return [_place(path, name, key, _NUMBERED) for key in keys]
    if not all(len(key) > 1 for key in keys):
        return [_place(path, name, key, _NUMBERED_OTHERWISE) for key in keys]
    table = pd.DataFrame([key[:2] for key in keys], columns=["video", "start"])
    table["start"] = pd.to_numeric(table["start"], errors="coerce")
    wrong = np.flatnonzero(table["start"].isna())
    if len(wrong):
        raise ValueError(
            f"{path}: the id {keys[wrong[0]]!r} in the part {name!r} is not a video, "
            "the start and the end of an utterance."
        )
    order = table.sort_values("start", kind="stable").groupby("video").cumcount()
    return list(zip(table["video"], order.sort_index(), strict=True))


def _words(key):
    """Write an id as text: its parts, or itself."""
    key = decode(key)
    parts = [key] if isinstance(key, str) or not np.iterable(key) else np.ravel(key)
    return [name_of(part) for part in parts]


def _place(path, name, key, pattern):
    match = re.fullmatch(pattern, key[0])
    if not match or len(key) > 1:
        kinds = "'<video>$_$<number>'"
        if pattern != _NUMBERED:
            kinds += ", '<video>[<number>]', '<video>_<number>' or (video, start, end)"
        raise ValueError(
            f"{path}: the id {'_'.join(key)!r} in the part {name!r} is not {kinds}."
        )
    video, number = filter(None, match.groups())
    return video, int(number)


def _of_all(path, name, part, key):
    """Return what a part holds under a key, for as many utterances as it has ids."""
    if key not in part or "id" not in part:
        lacking = key if "id" in part else "id"
        raise ValueError(
            f"{path}: the part {name!r} lacks {lacking!r}; it has "
            f"{', '.join(map(str, part)) or 'nothing'}."
        )
    if len(part[key]) != len(part["id"]):
        raise ValueError(
            f"{path}: in the part {name!r}, {key!r} has {len(part[key])} utterances "
            f"and 'id' {len(part['id'])}."
        )
    return part[key]


def _means(path, name, part, modality):
    given = _of_all(path, name, part, modality)
    try:
        clips = as_array(given)
    except ValueError as error:
        raise ValueError(
            f"{path}: in the part {name!r}, {modality!r} differs in shape from "
            "utterance to utterance; fill the shorter ones up with frames of zeros."
        ) from error
    if clips.ndim != 3 or clips.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: in the part {name!r}, {modality!r} is {clips.dtype} of shape "
            f"{clips.shape}; numbers of (utterances, frames, features) are known."
        )
    lengths = _lengths(path, name, part, modality)
    means = np.empty((len(clips), clips.shape[2]))
    n_left_out = 0
    for row, (frames, length) in enumerate(zip(clips, lengths, strict=True)):
        means[row], count = mean_of_frames(frames, _real(frames, length))
        n_left_out += count
    return means, n_left_out


def _lengths(path, name, part, modality):
    """Count the frames of each utterance, None where the file does not say."""
    if f"{modality}_lengths" in part:
        lengths = _of_all(path, name, part, f"{modality}_lengths")
        wrong = find_no_number(np.array([*lengths], dtype=object))
        if wrong is not None:
            raise ValueError(
                f"{path}: in the part {name!r}, '{modality}_lengths' holds "
                f"{lengths[wrong[0]]!r} for utterance {wrong[0]}; give numbers of "
                "frames."
            )
        return lengths
    if modality == "text" and "text_bert" in part:
        tokens = as_array(_of_all(path, name, part, "text_bert"))
        if tokens.ndim != 3 or tokens.shape[1] != 3:
            raise ValueError(
                f"{path}: in the part {name!r}, 'text_bert' has the shape "
                f"{tokens.shape}; (utterances, 3, tokens) is known: ids, mask, types."
            )
        return tokens[:, 1].sum(axis=1)
    return [None] * len(part["id"])


def _real(frames, length):
    """Tell frames from padding, and from those in which nothing was found."""
    real = frames.any(axis=1)
    if length is None:
        return real
    # MMSA counts up to the first frame of zeros: a clip that begins with one, or is
    # padded in front, has the length 1 there.
    inside = real & (np.arange(len(frames)) < length)
    return inside if inside.any() else real
