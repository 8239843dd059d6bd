"""Pickles that ask for more than they hold: each is refused before it is made."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from systems import mostly_slow

from skmerc.datasets.formats import _budget
from skmerc.datasets.formats.pickles._unpickle import read_pickle


@pytest.fixture
def refuse(tmp_path):
    """A function: assert that a pickle is refused with a message."""

    def check(data, match):
        path = tmp_path / "features.pkl"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=rf"features\.pkl .*{match}"):
            read_pickle(path)

    return check


def program(opcodes):
    return b"\x80\x04" + opcodes + b"."


def nested(depth):
    """A tuple of twice a tuple of twice a tuple, and so on."""
    return b"K\x01" + b"2\x86" * depth


def lists(depth):
    value = [1.0]
    for _ in range(depth):
        value = [value, value]
    return value


def objects(thing):
    array = np.empty(2, dtype=object)
    array[0] = thing
    return array


def saved(thing, zipped=True):
    buffer = io.BytesIO()
    torch.save(thing, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def repacked(data, pickled=None, method=zipfile.ZIP_STORED):
    """An archive of torch with another pickle, or packed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            is_pickle = pickled is not None and name.endswith("data.pkl")
            content = pickled if is_pickle else old.read(name)
            new.writestr(name, content, compress_type=method)
    return buffer.getvalue()


HASHED = {
    "set": b"\x8f(" + nested(60) + b"\x90",
    "frozenset": b"(" + nested(60) + b"\x91",
    "key": b"}" + nested(60) + b"K\x01s",
    "keys": b"}(" + nested(60) + b"K\x01u",
    "dict": b"(" + nested(60) + b"K\x01d",
    "set of a list": b"cbuiltins\nset\n](" + nested(60) + b"e\x85R",
    "name": b"cpandas\nSeries\n)\x81}(\x8c\x05_name" + nested(60) + b"ub",
}


@pytest.mark.parametrize("opcodes", HASHED.values(), ids=HASHED)
def test_shared_nesting_is_counted_before_it_is_hashed(opcodes, refuse):
    refuse(program(opcodes), "asks for .* elements")


@pytest.mark.parametrize(
    "data",
    [
        program(nested(60)),
        pickle.dumps(lists(40)),
        saved(lists(40)),
        saved(lists(40), zipped=False),
        repacked(saved(1), program(HASHED["set"])),
        pickle.dumps({"a": objects(lists(40))}),
    ],
    ids=["tuples", "lists", "torch", "old torch", "hashed in torch", "object array"],
)
def test_references_count_as_copies(data, refuse):
    refuse(data, "asks for .* elements")


@pytest.mark.parametrize(
    "opcodes",
    mostly_slow(
        [
            b"]" + b"\x85" * 100_000,
            b"}" + b"K\x01" + b"\x85" * 100_000 + b"K\x01s",
            b"]\x94h\x00a",
        ]
    ),
    ids=["deep", "deep key", "in itself"],
)
def test_deep_nesting_is_refused(opcodes, refuse):
    refuse(program(opcodes), "nested more than 64 deep")


CLAIMS = {
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 2_400_000_000),
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 2_400_000_000),
    "BINUNICODE": b"X" + struct.pack("<I", 2_400_000_000),
    "LONG4": b"\x8b" + struct.pack("<i", 2**31 - 1),
    "FRAME": b"\x95" + struct.pack("<Q", 2**40),
}


@pytest.mark.parametrize("opcodes", CLAIMS.values(), ids=CLAIMS)
def test_lengths_are_held_against_the_bytes_there(opcodes, refuse):
    refuse(program(opcodes), r"bytes are claimed where \d+ are left")


def long_series(n):
    data = pickle.dumps(pd.Series([1.0], index=pd.RangeIndex(1)), 4)
    return data.replace(b"stop\x94K\x01", b"stop\x94J" + struct.pack("<i", n))


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps([range(10**9)]),
        pickle.dumps(np.zeros((0, 10**9), dtype="f4")),
        pickle.dumps(torch.zeros(1).expand(700_000_000)),
        saved(torch.zeros(1).expand(700_000_000)),
        saved(torch.zeros(1).expand(700_000_000), zipped=False),
        long_series(350_000_000),
        pickle.dumps(["a" * 10**5] * 10**5),
    ],
    ids=["range", "no rows", "tensor", "torch", "old torch", "series", "text"],
)
def test_what_takes_no_bytes_is_counted(data, refuse):
    refuse(data, "asks for .* elements")


def test_a_series_is_not_repeated(refuse):
    refuse(long_series(2), "1 values in 2 rows")


def test_packed_numbers_of_torch_are_refused(refuse):
    refuse(repacked(saved([1.0]), method=zipfile.ZIP_DEFLATED), "torch packs none")


@pytest.mark.parametrize(
    "opcodes",
    mostly_slow(
        [
            b"(" + b"\x8f" * 150_000 + b"l",
            b"ccollections\ndeque\n\x94)\x94(" + b"h\0h\1R" * 60_000 + b"l",
            b"cpandas\nCategoricalDtype\n\x94)\x94}\x94("
            b"\x8c\ncategoriesN\x8c\x07ordered\x89u\x94("
            + b"h\0h\1\x81h\2b" * 4_000
            + b"l",
        ]
    ),
    ids=["sets", "deques", "parts of tables"],
)
def test_many_small_things_are_paid_for(opcodes, refuse, monkeypatch):
    monkeypatch.setattr(_budget, "FLOOR", _budget.FLOOR // 10)
    refuse(program(opcodes), "asks for .* elements")


@pytest.mark.parametrize(
    "key",
    [2**64, 1 + 2j, (2**64,), range(3)],
    ids=["long", "complex", "tuple", "range"],
)
def test_keys_of_which_many_have_one_hash_are_refused(key, refuse):
    refuse(pickle.dumps({key: 1}), "a key is a")


def test_what_is_shared_in_moderation_is_read_as_one(tmp_path):
    row = [0.5] * 1000
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps({(1, "a"): [row] * 1000, frozenset({2}): {row[0]}}))
    found = read_pickle(path)
    assert found[1, "a"][0] is found[1, "a"][999]
    assert found[frozenset({2})] == {0.5}


def test_parts_of_torch_files_that_are_shared_are_read(tmp_path):
    x = torch.arange(12.0).reshape(3, 4)
    thing = {"a": x[1:], "b": x.T, "size": x.shape, "p": torch.nn.Parameter(x)}
    for zipped in (True, False):
        path = tmp_path / "features.pt"
        path.write_bytes(saved(thing, zipped))
        found = read_pickle(path)
        np.testing.assert_array_equal(found["a"], x[1:].numpy())
        np.testing.assert_array_equal(found["b"], x.T.numpy())
        np.testing.assert_array_equal(found["p"], x.numpy())
        assert found["size"] == (3, 4)
