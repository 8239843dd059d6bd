"""Padded pickles of bc-LSTM: arrays of (videos, utterances, features), one modality."""

import numpy as np
import pandas as pd

from skmerc.datasets._corpus import PARTS
from skmerc.datasets.formats._clips import Clips, are_codes, stack_parts
from skmerc.datasets.formats._members import IGNORED, as_array, check_names
from skmerc.datasets.formats.pickles._unpickle import read_pickle

_MODALITIES = {"text": "text", "audio": "audio", "video": "visual"}
_LAYOUTS = {
    7: "train_data train_label test_data test_label _ train_length test_length",
    # Code that reads these files leaves the members 2, 3 and 8 unnamed.
    13: "train_data train_label dev_data dev_label test_data test_label _ "
    "train_length dev_length test_length _ _ _",
}


_KNOWN = [f"{part}_{kind}" for part in PARTS for kind in ("data", "label", "length")]


def is_padded(content, members):
    """Tell whether a pickle holds padded arrays, by its names or its first member."""
    if members is not None:
        return "train_data" in members
    first = content[0] if isinstance(content, list | tuple) and content else None
    return isinstance(first, np.ndarray) and first.ndim == 3


def read_padded_folder(folder, members):
    """Read the pickles of a folder, one for each modality."""
    files = {}
    for path in sorted(folder.glob("*.p*k*l*")):
        modality = _MODALITIES.get(path.stem.partition("_")[0])
        if modality in files:
            raise ValueError(
                f"{folder} has two files of {modality}, {files[modality].name} and "
                f"{path.name}; keep one of them."
            )
        if modality:
            files[modality] = path
    if not files:
        names = ", ".join(sorted(path.name for path in folder.iterdir())[:8])
        raise ValueError(
            f"{folder} has no text.pickle, audio.pickle or video.pickle, but "
            f"{names or 'nothing'}. For a file of another kind give its own path."
        )
    files = {name: files[name] for name in _MODALITIES.values() if name in files}
    read = {path: _read(path, read_pickle(path), members) for path in files.values()}
    return _join(read, files)


def read_padded_file(path, content, members):
    """Read the pickle of one modality, which its name tells."""
    modality = _MODALITIES.get(path.stem.partition("_")[0])
    if modality is None:
        raise ValueError(
            f"{path} holds padded arrays of one modality, and its name does not say "
            "which: call it text.pickle, audio.pickle or video.pickle."
        )
    return _join({path: _read(path, content, members)}, {modality: path})


def _join(read, files):
    (first, (rows, _)), *others = read.items()
    for path, (other, _) in others:
        if not rows.equals(other):
            raise ValueError(
                f"{path} and {first} differ in the utterances of a video or in their "
                "labels; they belong to different data."
            )
    blocks, left_out = {}, {}
    for modality, path in files.items():
        vectors = read[path][1]
        finite = np.isfinite(vectors).all(axis=1)
        blocks[modality] = np.where(finite[:, None], vectors, np.nan)
        left_out[modality] = int(np.sum(~finite))
    targets = _targets(first, rows.pop("label").to_numpy())
    return Clips(rows, targets, blocks, left_out)


def _targets(path, labels):
    if np.isin(labels, [0, 1]).all():
        return {"positive": labels}
    if are_codes(labels):
        codes = ", ".join(f"{code:g}" for code in np.unique(labels))
        raise ValueError(
            f"{path}: the labels are only {codes}, which are codes of classes and no "
            "scores from -3 to 3; take a file of scores or of two classes (2way)."
        )
    return {"score": labels}


def _read(path, content, members):
    named = _name(path, content, members)
    rows, blocks = [], []
    for part in PARTS:
        keys = [f"{part}_{kind}" for kind in ("data", "label", "length")]
        given = [as_array(named[key]) if key in named else None for key in keys]
        if _fit(*given):
            table, block = _unpad(part, *map(np.asarray, given))
            rows.append(table)
            blocks.append(block)
        elif part != "dev" or (members is not None and {*keys} & {*named}):
            pairs = zip(keys, map(np.shape, given), strict=True)
            found = ", ".join(f"{key} has the shape {shape}" for key, shape in pairs)
            raise ValueError(
                f"{path}: {found}; known are (videos, utterances, features), (videos, "
                "utterances) and (videos,), where lengths count the utterances."
            )
    return pd.concat(rows, ignore_index=True), stack_parts(path, "data", blocks)


def _name(path, content, members):
    if members is not None:
        check_names(members, _KNOWN)
    if members is None:
        members = _LAYOUTS.get(len(content), "").split()
    if not isinstance(content, list | tuple) or len(members) != len(content):
        raise ValueError(
            f"{path} is no list of {' or '.join(map(str, _LAYOUTS))} members "
            f"({'; '.join(_LAYOUTS.values())}). Say what its {len(content)} members "
            f"are with members=[...], {IGNORED!r} for those to ignore."
        )
    return dict(zip(members, content, strict=True))


def _fit(data, label, length):
    if not isinstance(data, np.ndarray) or data.ndim != 3 or not len(data):
        return False
    return (
        data.dtype.kind in "fiu"
        and np.shape(label) == data.shape[:2]
        and np.shape(length) == data.shape[:1]
        and 0 < np.min(length)
        and np.max(length) <= data.shape[1]
    )


def _unpad(part, data, label, length):
    there = np.arange(data.shape[1]) < length[:, None]
    video, turn = np.nonzero(there)
    rows = {
        "dialogue": [f"{part}_{number}" for number in video],
        "turn": turn,
        "split": part,
        "label": label[there].astype(float),
    }
    return pd.DataFrame(rows), data[there]
