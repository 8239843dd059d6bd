"""Small files of clips, byte-true to the formats that the community shares."""

import pickle
import struct

import numpy as np


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: protocol 2, text as bytes, numpy's old names."""

    dispatch = pickle._Pickler.dispatch.copy()

    def __init__(self, file):
        super().__init__(file, protocol=2)

    def _save_bytes(self, value):
        if len(value) < 256:
            self.write(b"U" + struct.pack("<B", len(value)) + value)
        else:
            self.write(b"T" + struct.pack("<i", len(value)) + value)

    def save_str(self, value):
        self._save_bytes(value.encode("latin1"))
        self.memoize(value)

    def save_bytes(self, value):
        self._save_bytes(value)
        self.memoize(value)

    dispatch[str] = save_str
    dispatch[bytes] = save_bytes


def write_pickle(path, content, python2=False):
    with path.open("wb") as file:
        if python2:
            Python2Pickler(file).dump(content)
        else:
            pickle.dump(content, file)
    if python2:
        written = path.read_bytes().replace(b"numpy._core", b"numpy.core")
        path.write_bytes(written)
    return path


def mmsa_part(ids, scores, **changes):
    """A part as MMSA writes it: frames first, padding of zeros behind."""
    n_rows = len(ids)
    steps = np.arange(1.0, n_rows + 1)[:, None, None] * np.ones((1, 4, 2))
    steps *= np.array([1.0, 3.0, 0.0, 0.0])[None, :, None]
    tokens = np.zeros((n_rows, 3, 4))
    tokens[:, 1, :3] = 1
    part = {
        "raw_text": np.array([f"said {key}" for key in ids], dtype=object),
        "audio": steps.astype("float32"),
        "vision": steps[:, :, :1] * 10,
        "id": np.array(ids, dtype=object),
        "text": np.tile(np.arange(1.0, 5.0)[None, :, None], (n_rows, 1, 3)),
        "text_bert": tokens,
        "annotations": np.array(["Positive"] * n_rows, dtype=object),
        "classification_labels": np.full(n_rows, 2.0),
        "regression_labels": np.array(scores, dtype="float32"),
        "audio_lengths": [2] * n_rows,
        "vision_lengths": [2] * n_rows,
    }
    part |= changes
    return {key: value for key, value in part.items() if value is not None}


def mmsa(**changes):
    """Three parts; the changes go to the training part, None removes."""
    ids = ["b$_$1", "a$_$11", "a$_$2"]
    return {
        "train": mmsa_part(ids, [0.0, -2.5, 1.6], **changes),
        "valid": mmsa_part(["c$_$1"], [3.0]),
        "test": mmsa_part(["d$_$1", "d$_$2"], [-0.4, 0.5]),
    }


def label_list(scores=None, **changes):
    """The seven members of GCNet: ids, scores, speakers, sentences, parts."""
    members = {
        "ids": {"v1": ["v1_2", "v1_10"], "v2": ["v2_1"], "v3": ["v3_7"]},
        "labels": scores or {"v1": [1.4, -0.2], "v2": [-2.6], "v3": [0.0]},
        "speakers": {"v1": ["", ""], "v2": [""], "v3": [""]},
        "sentences": {
            "v1": np.array(["IT WAS GOOD", "NOT ALL OF IT"]),
            "v2": np.array(["NO"]),
            "v3": np.array(["WELL"]),
        },
        "train": {"v1"},
        "dev": {"v2"},
        "test": {"v3"},
    }
    return list((members | changes).values())


def padded(labels=((1, 0, 0), (0, 1, 1)), width=2, scale=1.0):
    """The seven members of bc-LSTM: two videos to learn from, one to test on."""
    train = np.arange(1.0, 2 * 3 * width + 1).reshape(2, 3, width) * scale
    train[0, 2] = 0
    test = np.full((1, 3, width), 5.0) * scale
    test[0, 1:] = 0
    train_label = np.array(labels, dtype=float)
    test_label = np.array([[1.0, 0, 0]])
    return train, train_label, test, test_label, 3, [2, 3], [1]


def as_bytes(thing):
    """Make bytes of all text, as Python 3 loads what Python 2 wrote as bytes."""
    if isinstance(thing, str):
        return thing.encode()
    if isinstance(thing, dict):
        return {as_bytes(key): as_bytes(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple | set):
        return type(thing)(map(as_bytes, thing))
    return thing
