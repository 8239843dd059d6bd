"""Files that were changed on their way, or in whose place something else stands."""

import pickle
import random

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

pytest.importorskip("pyarrow", reason="needs pyarrow: skmerc[parquet]")

from hostile import _GOOD, read  # noqa: E402
from systems import mostly_slow

from skmerc.datasets import iter_table, load_table  # noqa: E402
from skmerc.datasets.formats.pickles._unpickle import read_pickle  # noqa: E402

NUMBERS = np.random.default_rng(0).normal(size=(20, 100))
TABLE = pd.DataFrame(NUMBERS).add_prefix("text__").assign(dialogue=1, label="joy")


def to_npz(path):
    np.savez(path, text=NUMBERS, label=np.array(["a"] * len(NUMBERS)))


WRITERS = {
    "pickle of Python 2": (
        "a.pkl",
        lambda path: path.write_bytes(pickle.dumps(NUMBERS, 0)),
        read_pickle,
    ),
    "pickle": (
        "a.pkl",
        lambda path: path.write_bytes(pickle.dumps(NUMBERS, 4)),
        read_pickle,
    ),
    "joblib": ("a.pkl", lambda path: joblib.dump(NUMBERS, path), read_pickle),
    "packed": ("a.pkl", lambda path: joblib.dump(NUMBERS, path, 3), read_pickle),
    "torch": (
        "a.pt",
        lambda path: torch.save(torch.tensor(NUMBERS), path),
        read_pickle,
    ),
    "NumPy": ("a.npz", to_npz, load_table),
    "parquet": ("a.parquet", lambda path: TABLE.to_parquet(path), load_table),
    "parts": (
        "a.parquet",
        lambda path: TABLE.to_parquet(path),
        lambda path: next(iter_table(path)),
    ),
}
HARMS = {
    "line ends": (lambda data: data.replace(b"\n", b"\r\n"), r"line ends .*\(CRLF\)"),
    "replaced": (
        lambda data: data.decode("utf-8", "replace").encode(),
        "bytes that are no text were replaced",
    ),
    "doubled": (
        lambda data: data.decode("latin-1").encode("utf-8"),
        "bytes above 127 were written as two each",
    ),
}


@pytest.mark.parametrize("harm", mostly_slow(HARMS))
@pytest.mark.parametrize("kind", mostly_slow(WRITERS))
def test_what_a_transfer_as_text_has_done_is_told(kind, harm, tmp_path):
    name, write, load = WRITERS[kind]
    change, message = HARMS[harm]
    path = tmp_path / name
    write(path)
    load(path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"(?s){name}.*{message}.*again as binary"):
        load(path)


def test_a_file_that_is_cut_was_not_changed(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(NUMBERS, 4)[:-100])
    with pytest.raises(ValueError, match=r"a\.pkl cannot be read") as caught:
        read_pickle(path)
    assert "as binary" not in str(caught.value)


@pytest.mark.parametrize("text", ["id;text\r\n1;Hi\r\n", "id,text\n1,é\n", "a\ufffd"])
def test_text_was_not_changed(text, tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(text.encode())
    with pytest.raises(ValueError, match=r"a\.pkl is no pickle") as caught:
        read_pickle(path)
    assert "as binary" not in str(caught.value)


STAND_INS = {
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n",
    "web page": b"\n<!DOCTYPE html>\n<title>Sign in</title>",
    "server": b"404: Not Found",
    "XML": b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>",
}


@pytest.mark.parametrize("kind", mostly_slow(STAND_INS))
@pytest.mark.parametrize(
    "reader", mostly_slow([name for name in _GOOD if name != "load_model"])
)
def test_what_stands_in_the_place_of_a_file_is_told(reader, kind, tmp_path):
    path, target = _GOOD[reader](tmp_path, random.Random(0))
    target.write_bytes(STAND_INS[kind])
    with pytest.raises(ValueError, match=kind) as caught:
        read(reader, path)
    assert str(target) in str(caught.value)
