"""What MOSI and MOSEI share: files of clips, and labels from a score."""

import re

import numpy as np
import pandas as pd

from skmerc._utils.warnings import warn_user
from skmerc.datasets._corpus import PARTS, TEXT, Corpus
from skmerc.datasets.corpora._loading import as_bunch
from skmerc.datasets.formats._clips import (
    Clips,
    mean_of_frames,
    refuse_codes,
    targets_of,
)
from skmerc.datasets.formats._members import (
    as_array,
    check_lengths,
    check_names,
    in_order,
    name_members,
    part_of,
    read_content,
    stack_features,
)
from skmerc.datasets.formats._mmsa import read_mmsa
from skmerc.datasets.formats._padded import (
    is_padded,
    read_padded_file,
    read_padded_folder,
)
from skmerc.frame._texts import decode, decode_latin, is_missing, name_of

# Members of the label files of GCNet, which both corpora have.
LABEL_LIST = "ids labels _ sentences train dev test"

_POLARITY = ["negative", "positive"]
_SEVEN = [str(score) for score in range(-3, 4)]
_EMOTIONS = ["happy", "sad", "angry", "surprise", "disgust", "fear"]
_CLASS_NAMES = {"polarity": _POLARITY, "seven": _SEVEN, "emotions": _EMOTIONS}
_MODALITIES = ("text", "audio", "visual")
_KNOWN = ("labels", "ids", "sentences", *_MODALITIES, *PARTS)
_HDF5 = (".csd", ".h5", ".hdf5")


def read_clips(path, layouts, members):
    """Read a pickle, or a folder of padded ones."""
    if path.suffix.lower() in _HDF5 or (path.is_dir() and any(path.glob("*.csd"))):
        raise ValueError(
            f"{path} is HDF5 of CMU-MultimodalSDK, which is not read here; align it "
            "with the SDK and give features that were made of it, as MMSA's pickles."
        )
    if path.is_dir():
        return read_padded_folder(path, members)
    content = read_content(path)
    if isinstance(content, dict):
        return read_mmsa(path, content)
    if is_padded(content, members):
        return read_padded_file(path, content, members)
    if members is not None:
        check_names(members, _KNOWN)
    return _read_lists(path, name_members(path, content, layouts, members))


def load_clips(name, clips, path, label, modalities, split, clamp, return_X_y):
    """Return what was chosen of the clips as a Bunch, or as X and y."""
    corpus = _as_corpus(path, clips, clamp)
    copy = f"\nThis copy\n~~~~~~~~~\n\n{_count(corpus)}\n"
    result = as_bunch(name, corpus, path, label, modalities, split, return_X_y, copy)
    used = clips.blocks if modalities is None else np.ravel(modalities)
    left_out = {n: clips.left_out[n] for n in used if clips.left_out.get(n)}
    if left_out:
        counts = ", ".join(f"{count} of {name}" for name, count in left_out.items())
        warn_user(
            f"{path}: frames that hold NaN or infinity were left out of the means: "
            f"{counts}. An utterance without any other frame lacks the modality.",
            UserWarning,
        )
    return result


def _read_lists(path, members):
    """Read members that are dicts from video to utterances."""
    check_lengths(path, members)
    rows = _rows(members, part_of(path, members))
    _check_not_empty(path, rows)
    blocks, left_out = {}, {}
    for name in _MODALITIES:
        if name in members:
            means, left_out[name] = _average(path, members, name)
            blocks[name] = stack_features(path, members | {name: means}, name)
    return Clips(rows, _targets(path, members), blocks, left_out)


def _rows(members, parts):
    rows = {"dialogue": [], "turn": [], "split": []}
    for key, labels in members["labels"].items():
        rows["dialogue"] += [name_of(key)] * len(labels)
        rows["turn"] += _turns(members.get("ids", {}).get(key, ()), len(labels))
        rows["split"] += [parts.get(key, "")] * len(labels)
    if "ids" in members:
        rows["id"] = list(map(name_of, in_order(members, "ids")))
    if "sentences" in members:
        rows[TEXT] = [_sentence(words) for words in in_order(members, "sentences")]
    return pd.DataFrame(rows)


def _turns(ids, n_rows):
    """Read the number behind the video's name; count where there is none."""
    numbers = [name_of(name).rpartition("_")[2] for name in ids]
    if len(numbers) and all(re.fullmatch(r"\d{1,18}", n) for n in numbers):
        return [int(number) for number in numbers]
    return list(range(n_rows))


def _sentence(words):
    """Read a sentence, or join the words of one."""
    words = decode_latin(words)
    if isinstance(decode(words), str) or is_missing(words):
        return words
    return " ".join(name_of(decode_latin(word)) for word in words)


def _average(path, members, name):
    """Replace every sequence of frames by its mean, and count the frames left out."""
    means, n_left_out = {}, 0
    for key, rows in members[name].items():
        means[key] = []
        for place, row in enumerate(rows):
            try:
                mean, count = mean_of_frames(_as_frames(row))
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}: {name!r} is no vector of numbers, and no sequence of "
                    f"them, in utterance {place} of dialogue {key!r} ({error})."
                ) from error
            means[key].append(mean)
            n_left_out += count
    return means, n_left_out


def _as_frames(row):
    frames = np.asarray([] if is_missing(row) else row, dtype=float)
    if frames.ndim not in (1, 2):
        raise ValueError(f"{frames.ndim} dimensions")
    return np.atleast_2d(frames)


def _targets(path, members):
    """Read a score, or six emotions, or both, the score first."""
    values = _label_table(path, members)
    if values.shape[1] == 1:
        refuse_codes(path, values)
    return targets_of(values)


def _label_table(path, members):
    table = []
    for key, labels in members["labels"].items():
        for place, label in enumerate(as_array(row).ravel() for row in labels):
            same = not table or label.size == table[0].size
            if (
                not same
                or label.size not in (1, 6, 7)
                or label.dtype.kind not in "fiub"
            ):
                raise ValueError(
                    f"{path}: 'labels' holds {label.tolist()} in utterance {place} of "
                    f"dialogue {key!r}; known are a score, six emotions, or a score "
                    "and six emotions, the same in every utterance."
                )
            table.append(label)
    return np.array(table, dtype=float)


def _as_corpus(path, clips, clamp):
    _check_not_empty(path, clips.rows)
    _check_parts(path, clips.rows)
    if not clips.blocks and TEXT not in clips.rows:
        raise ValueError(f"{path} holds neither features nor sentences.")
    order = _order(clips.rows)
    rows = clips.rows.iloc[order].reset_index(drop=True)
    labels = {n: values[order] for n, values in _labels(path, clips, clamp).items()}
    return Corpus(
        dialogue=rows["dialogue"].to_numpy(),
        turn=rows["turn"].to_numpy(),
        speaker=rows["dialogue"].to_numpy(),
        split=rows["split"].to_numpy(dtype=str),
        labels=labels,
        blocks={name: block[order] for name, block in clips.blocks.items()},
        metadata=_metadata(rows, labels),
        class_names={n: names for n, names in _CLASS_NAMES.items() if n in labels},
    )


def _check_not_empty(path, rows):
    if not len(rows):
        raise ValueError(f"{path} holds no utterance.")


def _check_parts(path, rows):
    """Demand that no video is in two parts, which would be one dialogue."""
    n_parts = rows.groupby("dialogue", sort=False)["split"].nunique()
    shared = n_parts.index[n_parts > 1]
    if len(shared):
        raise ValueError(
            f"{path}: the video {shared[0]!r} is in {n_parts[shared[0]]} parts, so "
            "these are not the official ones, which divide videos and not utterances. "
            "Take the official file, or name the videos anew in each part."
        )


def _order(rows):
    """Sort by part, video and turn."""
    place = {part: number for number, part in enumerate(PARTS)}
    parts = rows["split"].map(place).fillna(len(PARTS))
    videos = rows["dialogue"].factorize()[0]
    return np.lexsort((rows["turn"], videos, parts))


def _metadata(rows, labels):
    known = [n for n in (TEXT, "id", "annotation") if n in rows]
    scores = {n: labels[n] for n in ("score",) if n in labels}
    return rows[known].assign(**scores)


def _labels(path, clips, clamp):
    """Derive the kinds of labels; a score of 0 counts as positive."""
    labels, rows = {}, clips.rows
    if "score" in clips.targets:
        score = clips.targets["score"]
        what = "a score from -3 to 3"
        absent = f"{what}; leave utterances without a score out of the file"
        _check(path, rows, score, np.isfinite(score), absent)
        score = score.clip(-3, 3) if clamp else score
        beyond = int(np.sum(np.abs(score) > 3))
        if beyond:
            what += (
                f", as {beyond} of {len(score)} are not; clamp=True makes -3 or 3 of "
                "them, as the authors of MOSEI advise for its early files"
            )
        _check(path, rows, score, np.abs(score) <= 3, what)
        labels["score"] = score
        labels["polarity"] = np.array(_POLARITY)[(score >= 0).astype(int)]
        labels["seven"] = np.array(_SEVEN)[np.rint(score).astype(int) + 3]
    if "positive" in clips.targets:
        labels["polarity"] = np.array(_POLARITY)[clips.targets["positive"].astype(int)]
    if "emotions" in clips.targets:
        strength = clips.targets["emotions"]
        right = ((strength >= 0) & np.isfinite(strength)).all(axis=1)
        _check(path, rows, strength, right, "six strengths of at least 0")
        labels["emotions"] = (strength > 0).astype(int)
    return labels


def _check(path, rows, values, right, what):
    wrong = np.flatnonzero(~right)
    if len(wrong):
        row = rows.iloc[wrong[0]]
        raise ValueError(
            f"{path}: the label {values[wrong[0]]} of turn {row['turn']} in dialogue "
            f"{row['dialogue']!r} is not {what}."
        )


def _count(corpus):
    split = list(corpus.split)
    counts = ", ".join(f"{part} {split.count(part)}" for part in PARTS if part in split)
    return (
        f"This copy holds {len(split)} utterances of {len(set(corpus.dialogue))} "
        f"videos ({counts or 'no official parts'})."
    )
