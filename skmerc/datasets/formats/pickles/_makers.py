"""What pickled Python and NumPy objects are made of here, instead of what they name.

A pickle is a program: it names functions and calls them. Here, nothing that it names
is imported or looked up. A name only selects a maker from a table; a maker takes
arguments of exact types and gives plain data, none of which can be called.
"""

import math
import re
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType, SimpleNamespace

import numpy as np

_FACTORIES = {kind.__name__: kind for kind in (dict, float, int, list, set, str)}
_DTYPE_NAME = re.compile(r"[bifcuSUOmM]\d*")
_TIME_UNIT = re.compile(r"[YMWDhms]|ms|us|ns|ps|fs|as")


class Record(SimpleNamespace):
    """An object of somebody else's class: its attributes and nothing else."""


@dataclass(frozen=True)
class Maker:
    """Stands for a class or function that a pickle names; cannot be called itself."""

    name: str
    kind: str
    make: Callable


@dataclass(frozen=True, eq=False)
class Part:
    """Stands for an object that waits for its state."""

    kind: str


def only(function, kinds, counts):
    """Call a function with so many arguments of these exact types, or not at all."""

    def make(*args):
        if len(args) not in counts or not {type(arg) for arg in args} <= kinds:
            raise TypeError("arguments that no pickled object has")
        return function(*args)

    return make


PLAIN_KEYS = {NoneType, bool, bytes, float, str}
"""Types of keys whose hash depends on a secret of the process, or has few equals."""


def check_keys(keys):
    """Refuse keys that may all have one hash, with which a table takes for ever.

    They are to be hashed, and are known to be small.
    """
    for key in keys:
        if type(key) in (tuple, frozenset):
            check_keys(key)
        elif type(key) is int:
            if key.bit_length() > 64:
                raise ValueError(f"a key is a number of {key.bit_length()} bits")
        elif type(key) not in PLAIN_KEYS and not isinstance(key, np.generic):
            raise ValueError(f"a key is a {type(key).__name__}")


def _hashed(kind):
    """Make a set or an ordered dict of a list, whose keys are checked."""

    def make(values=()):
        keys = [pair[0] for pair in values] if kind is OrderedDict else values
        check_keys(keys)
        return kind(values)

    return make


def no_call(*args):
    """Make nothing: such a name may only be an argument."""
    raise TypeError("a call that no pickled object makes")


make_record = only(Record, set(), {0})


def _encode(text, encoding):
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise TypeError("a text that stands for no bytes")
    return text.encode("latin-1")


def _bytearray(data=b"", *encoding):
    data = _encode(data, *encoding) if encoding else data
    return only(bytearray, {bytes}, {1})(data)


def _defaultdict(factory=None):
    if factory is None:
        return defaultdict()
    if type(factory) is not Maker or factory.kind not in _FACTORIES:
        raise TypeError("a factory that is no plain type")
    return defaultdict(_FACTORIES[factory.kind])


def _old_instance(cls, base, state):
    """Make what protocols 0 and 1 write for an instance of a class."""
    if type(base) is not Maker or base.kind != "object" or state is not None:
        raise TypeError("a base class with data of its own")
    return cls.make()


def _dtype(name, align=False, copy=False):
    if type(name) is not str or not _DTYPE_NAME.fullmatch(name):
        raise TypeError("a type that is neither numbers nor text nor objects")
    return np.dtype(name, copy=True)


def _reconstruct(cls, shape, code):
    if type(cls) is not Maker or cls.kind != "ndarray":
        raise TypeError("a class that is not numpy.ndarray")
    return np.empty(0, "i1")


def _scalar(dtype, data):
    data = data.encode("latin-1") if type(data) is str else data
    if not isinstance(dtype, np.dtype):
        raise TypeError("a type that is none of NumPy's")
    if type(data) is not bytes or dtype.hasobject or len(data) != dtype.itemsize:
        raise TypeError("a number whose bytes do not fit its type")
    return with_texts(np.frombuffer(data, dtype))[0] if data else dtype.type()


def _from_buffer(buffer, dtype, shape, order, axes=None):
    if type(buffer) not in (bytes, bytearray) or not isinstance(dtype, np.dtype):
        raise TypeError("a buffer that is no bytes of numbers")
    array = with_texts(np.frombuffer(buffer, dtype))
    if order == "K":
        return array.reshape(shape).transpose(axes)
    return array.reshape(shape, order=order)


def fill_dtype(dtype, state):
    """Give a type its byte order and unit of time; refuse all that is not its own.

    NumPy believes what it is told here, and would take numbers for addresses.
    """
    order, *rest = state[1:8]
    if dtype.kind in "mM" and len(state) > 8:
        dtype = np.dtype(f"{dtype.kind}8[{_time_unit(*state[8][1])}]")
    filled = dtype.newbyteorder(order)
    if rest != list(filled.__reduce__()[2][2:8]):
        raise TypeError("the state of a type that is neither numbers nor text")
    return filled


def _time_unit(unit, count, per, event):
    unit = unit.decode() if type(unit) is bytes else unit
    if type(count) is not int or per != 1 or not _TIME_UNIT.fullmatch(unit):
        raise TypeError("an unknown unit of time")
    return f"{count}{unit}"


def fill_array(array, state):
    """Give a fresh array its shape and values; NumPy does not count all of them."""
    shape, dtype, fortran, data = state[-4:]
    if array.size or not isinstance(dtype, np.dtype):
        raise TypeError("a second state, or one without a type")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise TypeError("a shape that is no tuple of lengths")
    kinds = (list,) if dtype.hasobject else (bytes, str)
    needed = math.prod(shape) * (1 if dtype.hasobject else dtype.itemsize)
    if type(data) not in kinds or len(data) != needed:
        raise TypeError(f"values that do not fill an array of shape {shape}")
    array.__setstate__((1, shape, dtype, bool(fortran), data))
    return with_texts(array)


def with_texts(array):
    """Fail where four bytes are no character, which nobody checks later."""
    if array.dtype.kind == "U" and array.size:
        codes = np.dtype("u4").newbyteorder(array.dtype.byteorder)
        if array.reshape(-1).view(codes).max(initial=0) > sys.maxunicode:
            raise ValueError("a text that holds something else than characters")
    return array


def fill_record(record, state):
    """Give a record its attributes; NumPy asks instances for `__array_interface__`."""
    if type(state) is not dict or vars(record):
        raise TypeError("a second state, or one that is no attributes")
    for name in state:
        if type(name) is not str or not name.isidentifier() or name.startswith("_"):
            raise TypeError(f"an attribute {name!r}")
    vars(record).update(state)
    return record


MAKERS = {
    ("_codecs", "encode"): _encode,
    **{("builtins", kind): no_call for kind in [*_FACTORIES, "object"]},
    ("builtins", "bytearray"): _bytearray,
    ("builtins", "bytes"): only(bytes, set(), {0}),
    ("builtins", "complex"): only(complex, {float}, {2}),
    ("builtins", "frozenset"): only(_hashed(frozenset), {list}, {1}),
    ("builtins", "range"): only(range, {int}, {3}),
    ("builtins", "set"): only(_hashed(set), {list}, {1}),
    ("builtins", "slice"): only(slice, {int, NoneType}, {3}),
    ("collections", "Counter"): only(Counter, {dict}, {1}),
    ("collections", "OrderedDict"): only(_hashed(OrderedDict), {list}, {0, 1}),
    ("collections", "defaultdict"): _defaultdict,
    ("collections", "deque"): only(deque, {list, tuple, int}, {0, 1, 2}),
    ("copyreg", "_reconstructor"): _old_instance,
    ("numpy", "_frombuffer"): _from_buffer,
    ("numpy", "_reconstruct"): _reconstruct,
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): no_call,
    ("numpy", "scalar"): _scalar,
}
