"""What pickled tensors are made of: NumPy arrays, views of the numbers stored."""

from functools import cached_property

import numpy as np

from skmerc.datasets.formats.pickles._makers import no_call, only

# The number that torch.save begins with, except in the zip archives of today.
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

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
    """Numbers in the order in which torch keeps them, filled when they are read.

    Parameters
    ----------
    kind : str
        What torch calls the type.
    n : int
        How many there are.
    order : {"<", ">"}, default="<"
        The order of bytes in the file.
    """

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
