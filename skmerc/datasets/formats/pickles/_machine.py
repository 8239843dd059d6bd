"""The machine that runs a pickle with makers of plain data for all that it names.

It is Python's own unpickler, the one written in Python. The one in C lets others
decide about names by `find_class`, and about nothing else: it obeys what a state says
of an object before anyone can look at it, makes gigabytes of a few bytes, and hashes
keys that never end.
"""

import io
import pickle
from collections import Counter, OrderedDict, defaultdict, deque
from typing import ClassVar

import numpy as np
import pandas as pd

from skmerc._utils.compat import PythonUnpickler
from skmerc.datasets.formats._nesting import count_elements
from skmerc.datasets.formats.pickles import _joblib as wrappers
from skmerc.datasets.formats.pickles import _makers as plain
from skmerc.datasets.formats.pickles import _pandas as tables
from skmerc.datasets.formats.pickles import _torch as tensors
from skmerc.datasets.formats.pickles._makers import (
    PLAIN_KEYS,
    Maker,
    Part,
    Record,
    check_keys,
)
from skmerc.exceptions import UnsafePickleError

_MAKERS = plain.MAKERS | tables.MAKERS | tensors.MAKERS | wrappers.MAKERS
_VALUES = {("pandas", "NA"): pd.NA}
_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_PYTHON_2_TYPES = {"long": "int", "unicode": "str", "xrange": "range"}
_RECORD_PACKAGES = ("cogmen", "joyful")

_CALL, _TABLE = 64, 1000
"""Elements that a call of a maker and a part of a table cost.

What they make takes as much memory, or, in the case of a table, as much time.
"""

_KEEPING = ("BlockManager", "_unpickle_block")
"""Makers that keep what they are given, and neither copy nor read it."""


class _Bytes:
    """A file that gives no more than it has, and whose last line is whole.

    What is read is allocated first, so that a length is not believed; and half a name
    is told from a name.
    """

    def __init__(self, file, size):
        self._file, self.left = file, size

    def read(self, n):
        if n > self.left:
            raise EOFError(f"{n} bytes are claimed where {self.left} are left")
        self.left -= n
        return self._file.read(n)

    def readline(self):
        line = self._file.readline()
        self.left -= len(line)
        if not line.endswith(b"\n"):
            raise EOFError("the file ends in the middle of a name")
        return line


class _Memo(dict):
    """Objects that a pickle may refer to again, and keys of those awaiting a state."""

    def __init__(self):
        self.keys_of_parts = {}

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        if isinstance(value, Part | np.dtype):
            self.keys_of_parts[id(value)] = key

    def replace(self, old, new):
        key = self.keys_of_parts.get(id(old))
        if self.get(key) is old:
            self[key] = new


class Machine(PythonUnpickler):
    """Python's own unpickler, each step replaced that leads beyond plain data.

    No value on its stack can be called or is a class, and what a pickle calls is a
    :class:`Maker` or refused. Text that Python 2 wrote is read as Latin-1.

    Parameters
    ----------
    file : file of bytes
        Where the pickle begins.
    size : int
        The bytes that there are from here.
    budget : Budget
        Pays for what is made.
    find_storage : callable, optional
        Finds the numbers that a pickle of torch keeps outside, by type, key and length.
    """

    def __init__(self, file, size, budget, find_storage=None):
        self._source = _Bytes(file, size)
        super().__init__(self._source, encoding="latin1")
        self.memo = _Memo()
        self.budget, self.find_storage = budget, find_storage

    def find_class(self, module, name):
        """Find the maker behind a name by its package, since modules were moved."""
        package = module.partition(".")[0]
        key = package, name
        if package in _PYTHON_2_MODULES:
            key = _PYTHON_2_MODULES[package], _PYTHON_2_TYPES.get(name, name)
        if key in _VALUES:
            return _VALUES[key]
        make = plain.make_record if _is_record(module, name) else _MAKERS.get(key)
        if make is None:
            raise UnsafePickleError(f"it names {module + '.' + name!a:.200}")
        return Maker(f"{module}.{name}", key[1], make)

    def persistent_load(self, pid):
        """Refuse an object that is kept outside of the pickle, unless it is torch's."""
        if self.find_storage is None:
            raise UnsafePickleError("it asks for an object by a persistent id")
        is_storage = type(pid) is tuple and len(pid) in (5, 6) and pid[0] == "storage"
        if not is_storage or type(pid[1]) is not Maker or pid[5:] not in ((), (None,)):
            raise UnsafePickleError("it asks for something else than stored numbers")
        _, maker, key, _, n = pid[:5]
        return self.find_storage(maker.kind, key, n)

    def _make(self, maker, args):
        if type(maker) is not Maker or type(args) is not tuple:
            raise UnsafePickleError(f"it calls {_label(maker)!r}")
        self.budget.claim(_TABLE if "Index" in maker.kind else _CALL, maker.name)
        # No maker takes a range, whatever its length.
        given = [arg for arg in args if type(arg) is not range]
        if given and maker.kind not in _KEEPING:
            count_elements(given, self.budget, maker.name)
        if maker.kind == "_load_from_bytes":
            return self._load_storage(maker, args)
        try:
            return maker.make(*args)
        except TypeError as error:
            raise UnsafePickleError(f"it calls {maker.name!r} with {error}") from error

    def _load_storage(self, maker, args):
        """Read the numbers of a tensor, which torch pickles as a file of its own."""
        storage = None
        if maker.make(*args):
            storage = tensors.read_legacy(io.BytesIO(args[0]), len(args[0]), self._load)
        if type(storage) is not tensors.Storage:
            raise UnsafePickleError(f"it calls {maker.name!r} with no stored numbers")
        return storage

    def _load(self, file, size, find_storage=None):
        """Read a pickle within this one, out of the same budget."""
        return Machine(file, size, self.budget, find_storage).load()

    def _instantiate(self, cls, args):
        self.append(self._make(cls, tuple(args)))

    def _call(self):
        args = self.stack.pop()
        self.stack[-1] = self._make(self.stack[-1], args)

    def _call_with_names(self):
        named = self.stack.pop()
        if type(named) is not dict or named:
            raise UnsafePickleError(f"it calls {_label(self.stack[-2])!r} with names")
        self._call()

    def _build(self):
        state = self.stack.pop()
        made = self.stack[-1]
        if type(made) is Part:
            self.budget.claim(_TABLE, _label(made))
        if type(made) in (Part, np.ndarray):
            count_elements(state, self.budget, _label(made))
        try:
            built = self._built(made, state)
        except TypeError as error:
            raise UnsafePickleError(f"it gives {_label(made)!r} {error}") from error
        self.stack[-1] = built
        if made is not built:
            # Later references find what has taken the place of an object.
            self.memo.replace(made, built)

    def _built(self, made, state):
        """Give an object its state; return it, or what takes its place."""
        if isinstance(made, np.dtype):
            return plain.fill_dtype(made, state)
        if type(made) is np.ndarray:
            return plain.fill_array(made, state)
        if type(made) is Record:
            return plain.fill_record(made, state)
        if type(made) is not Part:
            raise TypeError("a state, which it has none of")
        if made.kind == wrappers.WRAPPER:
            return self._read_array(state)
        return tables.BUILDERS[made.kind](state)

    def _read_array(self, state):
        """Read an array whose bytes joblib has put between the opcodes."""
        frame = self._unframer.current_frame
        if frame is not None and frame.read(1):
            raise TypeError("bytes within a frame of opcodes")
        file = self._source
        return wrappers.read_array(
            state, file, self.budget, lambda: self._load(file, file.left)
        )

    def _add_bytearray(self):
        n = int.from_bytes(self.read(8), "little")
        self.append(bytearray(self.read(n)))

    def _refuse_code(self):
        raise UnsafePickleError("it names a class by an extension code")

    def _check_target(self, place, kinds):
        """Demand that items are added to containers of these exact types only."""
        below_mark = place is _BELOW_MARK
        target = self.metastack[-1][-1] if below_mark else self.stack[place]
        if type(target) not in kinds:
            raise UnsafePickleError(f"it adds items to {_label(target)!r}")

    def _check_keys(self, places):
        """Demand that keys are plain values only, whose hash is soon computed."""
        keys = self.stack[places]
        if not {*map(type, keys)} <= PLAIN_KEYS:
            count_elements(keys, self.budget, "a key")
            check_keys(keys)

    def _pay(self, cost):
        self.budget.claim(cost, "a container")

    dispatch: ClassVar[dict] = PythonUnpickler.dispatch | {
        pickle.BUILD[0]: _build,
        pickle.BYTEARRAY8[0]: _add_bytearray,
        pickle.EXT1[0]: _refuse_code,
        pickle.EXT2[0]: _refuse_code,
        pickle.EXT4[0]: _refuse_code,
        pickle.NEWOBJ[0]: _call,
        pickle.NEWOBJ_EX[0]: _call_with_names,
        pickle.REDUCE[0]: _call,
    }


def _is_record(module, name):
    packages = module.split(".")
    known = packages[0] in _RECORD_PACKAGES or packages[-1] == "Sample"
    return name == "Sample" and known


def _label(made):
    if isinstance(made, Maker):
        return made.name
    if isinstance(made, Part):
        package = "joblib" if made.kind == wrappers.WRAPPER else "pandas"
        return f"{package}.{made.kind}"
    cls = np.dtype if isinstance(made, np.dtype) else type(made)
    return f"{cls.__module__}.{cls.__name__}"


_BELOW_MARK = None
_SEQUENCES = (list, deque)
_MAPPINGS = (dict, Counter, OrderedDict, defaultdict)
_ALL, _EVERY_SECOND, _LAST_BUT_ONE = slice(None), slice(None, None, 2), slice(-2, -1)

_CHECKS = [
    (pickle.APPEND, Machine._check_target, -2, _SEQUENCES),
    (pickle.APPENDS, Machine._check_target, _BELOW_MARK, _SEQUENCES),
    (pickle.ADDITEMS, Machine._check_target, _BELOW_MARK, (set,)),
    (pickle.SETITEM, Machine._check_target, -3, _MAPPINGS),
    (pickle.SETITEMS, Machine._check_target, _BELOW_MARK, _MAPPINGS),
    (pickle.ADDITEMS, Machine._check_keys, _ALL),
    (pickle.DICT, Machine._check_keys, _EVERY_SECOND),
    (pickle.FROZENSET, Machine._check_keys, _ALL),
    (pickle.SETITEM, Machine._check_keys, _LAST_BUT_ONE),
    (pickle.SETITEMS, Machine._check_keys, _EVERY_SECOND),
    # A byte of a file makes two hundred bytes of memory.
    (pickle.EMPTY_DICT, Machine._pay, 16),
    (pickle.EMPTY_LIST, Machine._pay, 16),
    (pickle.EMPTY_SET, Machine._pay, 32),
    (pickle.MARK, Machine._pay, 8),
]
"""What is checked before an opcode runs as in Python's own unpickler."""


def _check_before(opcode, check, *args):
    run = Machine.dispatch[opcode[0]]

    def run_checked(machine):
        check(machine, *args)
        run(machine)

    Machine.dispatch[opcode[0]] = run_checked


for _check in _CHECKS:
    _check_before(*_check)
