"""Files of NumPy arrays, whose heads are read and checked before anything else."""

import math
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.lib import format as npy

from skmerc.datasets.formats._files import SoundFileError

_HEAD = 11_000
"""Bytes that are read of an array first; NumPy refuses heads of more than 10,000."""

_ENDING = ".npy"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HEAD_READERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    # Names of fields are UTF-8 in it; shape and size are the same if read as Latin-1.
    (3, 0): npy.read_array_header_2_0,
}


@dataclass(frozen=True)
class Head:
    """What a file says of its array."""

    shape: tuple
    dtype: np.dtype

    @property
    def ndim(self):
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self):
        """Number of elements."""
        return math.prod(self.shape)


def n_elements(shape):
    """Count the elements of an array; an axis of length 0 does not hide the others.

    What is computed of an empty array has the length of its other axes.
    """
    return math.prod(max(1, length) for length in shape)


def read_head(file, size, what):
    """Read the head of an array, and demand the bytes that it claims.

    The array begins where `file` stands, which may be read beyond the head; `size`
    counts the bytes that there are, the head included.
    """
    start = _Start(file.read(min(size, _HEAD)))
    version = npy.read_magic(start)
    if version not in _HEAD_READERS:
        raise ValueError(f"{what} has the version {version} of NumPy's format")
    shape, _, dtype = _HEAD_READERS[version](start)
    there = size - start.position
    claimed = 0 if dtype.hasobject else math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed > there:
        raise ValueError(
            f"{what} claims to be {dtype} of shape {shape}, and has {there} bytes"
        )
    return Head(shape, dtype)


def _claim(budget, head, what):
    if head.dtype.hasobject:
        raise SoundFileError(
            f"{what} holds Python objects, which could run code when loaded; save "
            "arrays of numbers, and of text of fixed width, as of array.astype(str)"
        )
    budget.claim(n_elements(head.shape) * width_of(head.dtype), what)


def width_of(dtype):
    """Count the elements in one of a type: the characters of a text, or one."""
    if dtype.kind == "U":
        return max(1, dtype.itemsize // 4)
    return max(1, dtype.itemsize if dtype.kind == "S" else dtype.itemsize // 8)


class _Start:
    """The first bytes of a file, which count those that are read."""

    def __init__(self, data):
        self.data, self.position = data, 0

    def read(self, n):
        part = self.data[self.position : self.position + n]
        self.position += len(part)
        return part


def read_array(path, budget):
    """Read the array of a file."""
    with path.open("rb") as file:
        head = read_head(file, budget.size, "the array")
        _claim(budget, head, "the array")
        file.seek(0)
        return npy.read_array(file, allow_pickle=False)


class Arrays:
    """The arrays of a zip archive by name, each read, and paid for, when asked for."""

    def __init__(self, file, budget):
        self.archive, self.budget = zipfile.ZipFile(file), budget
        self.members = {
            member.filename.removesuffix(_ENDING): member
            for member in self.archive.infolist()
            if member.filename.endswith(_ENDING)
        }

    def heads(self):
        """Read what is said of all arrays: dict of name to Head."""
        return {name: self._head(name) for name in self.members}

    def read(self, name):
        """Read an array."""
        _claim(self.budget, self._head(name), repr(name))
        with self.archive.open(self.members[name]) as file:
            return npy.read_array(file, allow_pickle=False)

    def _head(self, name):
        member = self.members[name]
        if member.compress_type not in _METHODS:
            raise SoundFileError(
                f"{name!r} is packed in a way that NumPy does not know; write the file "
                "anew by numpy.savez_compressed"
            )
        with self.archive.open(member) as file:
            return read_head(file, member.file_size, repr(name))
