"""Tensors, pickled or in files of torch, read as NumPy arrays without torch."""

import io
import zipfile
from functools import cached_property

import numpy as np

from skmerc.datasets.formats.pickles._makers import no_call, only

# The number that torch.save begins with, except in the zip archives of today.
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

_PICKLE = "/data.pkl"

_TYPES = {
    # The first two bytes of single precision, which NumPy lacks.
    "BFloat16Storage": "u2",
    "BoolStorage": "?",
    "ByteStorage": "u1",
    "CharStorage": "i1",
    "ComplexDoubleStorage": "c16",
    "ComplexFloatStorage": "c8",
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "IntStorage": "i4",
    "LongStorage": "i8",
    "ShortStorage": "i2",
}


class Storage:
    """Numbers of a type of torch in one row, filled when they are read."""

    def __init__(self, kind, n, order="<"):
        if kind not in _TYPES or type(n) is not int or n < 0:
            raise TypeError(f"{n} numbers of the type {kind}")
        self.n, self.half = n, kind == "BFloat16Storage"
        self.stored = np.dtype(_TYPES[kind]).newbyteorder(order)
        self.n_bytes = n * self.stored.itemsize

    @cached_property
    def numbers(self):
        """The array of them, zero until they are read."""
        kind = np.float32 if self.half else self.stored.newbyteorder("=")
        return np.zeros(self.n, kind)

    def fill(self, content):
        """Take the numbers of bytes."""
        if len(content) != self.n_bytes:
            raise ValueError(f"{self.n_bytes} bytes are claimed of {len(content)}")
        given = np.frombuffer(content, self.stored)
        if self.half:
            given = (given.astype("u4") << 16).view("f4")
        self.numbers[:] = given


def _rebuild_tensor(storage, offset, size, stride, *rest):
    """Make an array, which stays within the numbers stored."""
    if type(storage) is not Storage or type(size) is not tuple:
        raise TypeError("numbers that are not stored")
    given = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in given):
        raise ValueError(f"a tensor of {size} by steps of {stride} from {offset}")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    numbers = storage.numbers
    if 0 in size:
        return np.zeros(size, numbers.dtype)
    if last >= len(numbers):
        raise ValueError(f"a tensor reaches for {last}, of {len(numbers)} numbers")
    strides = [step * numbers.itemsize for step in stride]
    return np.ndarray(size, numbers.dtype, numbers, offset * numbers.itemsize, strides)


def _rebuild_parameter(data, *rest):
    if type(data) is not np.ndarray:
        raise TypeError("a parameter that is no tensor")
    return data


def _is_legacy(blob):
    return type(blob) is bytes and blob.startswith(MAGIC)


MAKERS = {
    # Read by the machine itself.
    ("torch", "_load_from_bytes"): _is_legacy,
    **{("torch", kind): no_call for kind in _TYPES},
    ("torch", "Size"): only(tuple, {tuple}, {1}),
    ("torch", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "_rebuild_tensor"): _rebuild_tensor,
    ("torch", "_rebuild_tensor_v2"): _rebuild_tensor,
}


def find_pickle(names):
    """Find the member of an archive of torch that holds its pickle, or None."""
    return next((name for name in names if name.endswith(_PICKLE)), None)


def read_archive(file, size, load):
    """Read a zip archive of torch.

    `load` reads a pickle: of a file of bytes, its size, and a function that makes the
    storage that the pickle names by type, key and length.
    """
    found = {}
    with zipfile.ZipFile(file) as archive:
        name = find_pickle(archive.namelist())
        root = name.removesuffix(_PICKLE)
        order = f"{root}/byteorder"
        is_big = order in archive.namelist() and _read(archive, order, size) == b"big"

        def find_storage(kind, key, n):
            if key not in found:
                found[key] = Storage(kind, n, ">" if is_big else "<")
                found[key].fill(_read(archive, f"{root}/data/{key}", size))
            return found[key]

        content = _read(archive, name, size)
        return load(io.BytesIO(content), len(content), find_storage)


def _read(archive, name, size):
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > size:
        raise ValueError(
            f"{name} claims {member.file_size} bytes, packed or not; torch packs none"
        )
    with archive.open(member) as file:
        return file.read(member.file_size)


def read_legacy(file, size, load):
    """Read what torch wrote before it wrote zip archives; `load` is as for these.

    The numbers follow the pickles, so that arrays are made before they are filled.
    """
    found = {}

    def find_storage(kind, key, n):
        if key not in found:
            storage = Storage(kind, n)
            claimed = storage.n_bytes + sum(other.n_bytes for other in found.values())
            if claimed > size:
                raise ValueError(f"it claims {claimed} bytes of numbers of {size}")
            found[key] = storage
        return found[key]

    def load_next(find=None):
        return load(file, size - file.tell(), find)

    for _ in range(3):  # the magic number, the version, and the machine of the writer
        load_next()
    value = load_next(find_storage)
    for key in load_next():
        n = int.from_bytes(file.read(8), "little")
        if n != found[key].n:
            raise ValueError(f"it has {n} numbers where {found[key].n} are claimed")
        found[key].fill(file.read(found[key].n_bytes))
    return value
