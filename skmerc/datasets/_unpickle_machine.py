"""The machine that runs a pickle with makers of plain data for all that it names."""

import pickle
from collections import Counter, OrderedDict, defaultdict, deque

import numpy as np
import pandas as pd

from skmerc.datasets import _unpickle_makers as plain
from skmerc.datasets import _unpickle_pandas as tables
from skmerc.datasets import _unpickle_torch as tensors
from skmerc.datasets._unpickle_makers import Maker, Part, Record
from skmerc.exceptions import UnsafePickleError

_MAKERS = plain.MAKERS | tables.MAKERS | tensors.MAKERS
_VALUES = {("pandas", "NA"): pd.NA}
_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_PYTHON_2_TYPES = {"long": "int", "unicode": "str", "xrange": "range"}
_RECORD_PACKAGES = ("cogmen", "joyful")
_MAPPINGS = (dict, Counter, OrderedDict, defaultdict)


class _WholeLines:
    """A file whose last line is whole, so that half a name is told from a name."""

    def __init__(self, file):
        self.read = file.read
        self._readline = file.readline

    def readline(self):
        line = self._readline()
        if not line.endswith(b"\n"):
            raise EOFError("the file ends in the middle of a name")
        return line


class Machine(pickle._Unpickler):
    """Python's own unpickler, each step replaced that leads beyond plain data.

    No value on its stack can be called or is a class, and what a pickle calls is a
    :class:`Maker` or refused. Text that Python 2 wrote is read as Latin-1.
    """

    def __init__(self, file):
        super().__init__(_WholeLines(file), encoding="latin1")

    def find_class(self, module, name):
        """Find the maker behind a name by its package, since modules were moved."""
        key = _package_and_name(module, name)
        if key in _VALUES:
            return _VALUES[key]
        make = plain.make_record if _is_record(module, name) else _MAKERS.get(key)
        if make is None:
            raise UnsafePickleError(f"it names {module + '.' + name!a:.200}")
        return Maker(f"{module}.{name}", key[1], make)

    def persistent_load(self, pid):
        """Refuse an object that is kept outside of the pickle."""
        raise UnsafePickleError("it asks for an object by a persistent id")

    def _make(self, maker, args):
        if type(maker) is not Maker or type(args) is not tuple:
            raise UnsafePickleError(f"it calls {_label(maker)!r}")
        try:
            return maker.make(*args)
        except TypeError as error:
            raise UnsafePickleError(f"it calls {maker.name!r} with {error}") from error

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
        try:
            built = _build(made, state)
        except TypeError as error:
            raise UnsafePickleError(f"it gives {_label(made)!r} {error}") from error
        self.stack[-1] = built
        self._remember(made, built)

    def _remember(self, made, built):
        """Let later references find what has taken the place of an object."""
        if made is built:
            return
        keys = (key for key in reversed(self.memo) if self.memo[key] is made)
        key = next(keys, None)
        if key is not None:
            self.memo[key] = built

    def _refuse_code(self):
        raise UnsafePickleError("it names a class by an extension code")

    dispatch = pickle._Unpickler.dispatch | {
        pickle.BUILD[0]: _build,
        pickle.EXT1[0]: _refuse_code,
        pickle.EXT2[0]: _refuse_code,
        pickle.EXT4[0]: _refuse_code,
        pickle.NEWOBJ[0]: _call,
        pickle.NEWOBJ_EX[0]: _call_with_names,
        pickle.REDUCE[0]: _call,
    }


def _package_and_name(module, name):
    package = module.partition(".")[0]
    if package in _PYTHON_2_MODULES:
        return _PYTHON_2_MODULES[package], _PYTHON_2_TYPES.get(name, name)
    return package, name


def _is_record(module, name):
    packages = module.split(".")
    known = packages[0] in _RECORD_PACKAGES or packages[-1] == "Sample"
    return name == "Sample" and known


def _label(made):
    if isinstance(made, Maker):
        return made.name
    if isinstance(made, Part):
        return f"pandas.{made.kind}"
    cls = np.dtype if isinstance(made, np.dtype) else type(made)
    return f"{cls.__module__}.{cls.__name__}"


def _build(made, state):
    """Give an object its state; return it, or what takes its place."""
    if isinstance(made, np.dtype):
        return plain.fill_dtype(made, state)
    if type(made) is np.ndarray:
        return plain.fill_array(made, state)
    if type(made) is Record:
        return plain.fill_record(made, state)
    if type(made) is Part:
        return tables.BUILDERS[made.kind](state)
    raise TypeError("a state, which it has none of")


def _guard(opcode, find_target, kinds):
    """Let an opcode add items to containers of these exact types only."""
    add = pickle._Unpickler.dispatch[opcode[0]]

    def add_checked(machine):
        target = find_target(machine)
        if type(target) not in kinds:
            raise UnsafePickleError(f"it adds items to {_label(target)!r}")
        add(machine)

    Machine.dispatch[opcode[0]] = add_checked


def _below_mark(machine):
    return machine.metastack[-1][-1]


_guard(pickle.APPEND, lambda machine: machine.stack[-2], (list, deque))
_guard(pickle.APPENDS, _below_mark, (list, deque))
_guard(pickle.ADDITEMS, _below_mark, (set,))
_guard(pickle.SETITEM, lambda machine: machine.stack[-3], _MAPPINGS)
_guard(pickle.SETITEMS, _below_mark, _MAPPINGS)
