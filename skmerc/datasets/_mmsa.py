"""Pickles of MMSA: a dict for each part, arrays of (utterances, frames, features)."""

import re

import numpy as np
import pandas as pd

from skmerc._texts import is_missing, name_of
from skmerc.datasets._clips import Clips, mean_of_frames, stack_parts
from skmerc.datasets._members import as_array

_PARTS = {"train": "train", "valid": "dev", "test": "test"}
_MODALITIES = {"text": "text", "audio": "audio", "vision": "visual"}
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
    blocks, left_out = {}, {}
    for key, ours in _MODALITIES.items():
        if key in present:
            means = [_means(path, name, part, key) for name, part in parts.items()]
            blocks[ours] = stack_parts(path, key, [block for block, _ in means])
            left_out[ours] = sum(count for _, count in means)
    return Clips(rows, {"score": rows.pop("score").to_numpy()}, blocks, left_out)


def _rows(path, name, part, present):
    columns = {
        ours: list(_of_all(path, name, part, key))
        for key, ours in _COLUMNS.items()
        if key in present or key == "id"
    }
    for kind in columns.keys() - {"utterance"}:
        columns[kind] = [None if is_missing(v) else name_of(v) for v in columns[kind]]
    given = _of_all(path, name, part, "regression_labels")
    try:
        scores = np.asarray(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: in the part {name!r}, 'regression_labels' holds something else "
            f"than numbers ({error})."
        ) from error
    if scores.size != len(columns["id"]):
        raise ValueError(
            f"{path}: in the part {name!r}, 'regression_labels' has the shape "
            f"{scores.shape}; one score for each utterance is known."
        )
    places = [_place(path, name, str(key)) for key in columns["id"]]
    return pd.DataFrame(
        {
            "dialogue": [video for video, _ in places],
            "turn": [number for _, number in places],
            "split": name,
            "score": scores.ravel(),
            **columns,
        }
    )


def _place(path, name, key):
    video, _, number = key.rpartition("$_$")
    if not video or not re.fullmatch(r"\d{1,18}", number):
        raise ValueError(
            f"{path}: the id {key!r} in the part {name!r} is not '<video>$_$<number>'."
        )
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
    clips = as_array(_of_all(path, name, part, modality))
    if clips.ndim != 3 or clips.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: in the part {name!r}, {modality!r} is {clips.dtype} of shape "
            f"{clips.shape}; numbers of (utterances, frames, features) are known."
        )
    lengths = _lengths(path, name, part, modality)
    means = np.empty((len(clips), clips.shape[2]), dtype="float32")
    n_left_out = 0
    for row, (frames, length) in enumerate(zip(clips, lengths, strict=True)):
        means[row], count = mean_of_frames(frames, _real(frames, length))
        n_left_out += count
    return means, n_left_out


def _lengths(path, name, part, modality):
    """Count the frames of each utterance, None where the file does not say."""
    if f"{modality}_lengths" in part:
        return _of_all(path, name, part, f"{modality}_lengths")
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
