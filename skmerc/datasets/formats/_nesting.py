"""How large data are where each reference to a part of them counts as a copy."""

from collections import deque
from types import NoneType

import numpy as np
import pandas as pd

from skmerc.datasets.formats._arrays import n_elements, width_of
from skmerc.datasets.formats._budget import OverBudgetError
from skmerc.datasets.formats.pickles._makers import Record

DEPTH = 64
"""How deep data may be nested: as many dimensions as NumPy knows."""

_NUMBERS = {NoneType, bool, int, float, complex, slice}
_CHARACTERS = {str, bytes, bytearray}
_EMPTY = {list, tuple, dict}
_MAPPINGS = (dict,)
_SEQUENCES = (list, tuple, set, frozenset, deque)


def count_elements(value, budget, what):
    """Count the elements of a value, and claim them from a budget."""
    n, _ = _Counter().count(value)
    budget.claim(n, what)


class _Counter:
    """Counts each container once, whatever the number of its references."""

    def __init__(self):
        self.counted = {}

    def count(self, value, depth=0):
        """Count elements, and how deep they are nested."""
        kind = type(value)
        if kind in _NUMBERS:
            return 1, 0
        if kind in _CHARACTERS:
            return 1 + len(value), 0
        if kind in _EMPTY and not value:
            return 1, 0
        if depth > DEPTH:
            raise OverBudgetError(
                f"it is nested more than {DEPTH} deep, or holds itself"
            )
        if isinstance(value, (*_SEQUENCES, *_MAPPINGS, Record)):
            return self._count_container(value, depth)
        if isinstance(value, np.ndarray):
            return self._count_array(value, depth)
        if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
            return self._count_table(value, depth)
        if isinstance(value, pd.api.extensions.ExtensionArray):
            return self._count_column(value, depth)
        if kind is range:
            return 1 + _length(value), 0
        return 1 + (len(value) if isinstance(value, str | bytes) else 0), 0

    def _count_container(self, value, depth):
        known, _ = self.counted.get(id(value), (None, None))
        if known is None:
            known = self._count_all(_parts_of(value), depth)
            # Kept as well, so that nothing else gets its id.
            self.counted[id(value)] = known, value
        if depth + known[1] > DEPTH:
            raise OverBudgetError(f"it is nested more than {DEPTH} deep")
        return known

    def _count_all(self, parts, depth):
        kinds = set(map(type, parts))
        if kinds <= _NUMBERS:
            return 1 + len(parts), 1
        if kinds <= _CHARACTERS:
            return 1 + len(parts) + sum(map(len, parts)), 1
        counts = [self.count(part, depth + 1) for part in parts]
        return 1 + sum(n for n, _ in counts), 1 + max(height for _, height in counts)

    def _count_array(self, value, depth):
        if value.dtype.hasobject:
            n, height = self._count_all(value.ravel().tolist(), depth)
            return n + n_elements(value.shape), height
        return 1 + n_elements(value.shape) * width_of(value.dtype), 0

    def _count_table(self, value, depth):
        if isinstance(value, pd.MultiIndex):
            codes = [np.asarray(codes) for codes in value.codes]
            return self._count_all([*value.levels, *codes, *value.names], depth)
        if isinstance(value, pd.DataFrame):
            columns = [value.iloc[:, at].array for at in range(value.shape[1])]
            parts = [value.index, value.columns, value.attrs, *columns]
        elif isinstance(value, pd.RangeIndex):
            return 1 + len(value), 0
        else:
            index = [value.index, value.attrs] if isinstance(value, pd.Series) else []
            parts = [value.array, value.name, *index]
        return self._count_all(parts, depth)

    def _count_column(self, value, depth):
        if isinstance(value, pd.Categorical):
            longest = max(map(len, map(str, value.categories)), default=0)
            return 1 + len(value) * (1 + longest), 0
        if value.dtype == object or isinstance(value.dtype, pd.StringDtype):
            return self._count_all(np.asarray(value, dtype=object).tolist(), depth)
        return 1 + len(value), 0


def _parts_of(value):
    if isinstance(value, Record):
        return list(vars(value).values())
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list | tuple) else list(value)


def _length(numbers):
    """Count numbers, which len() refuses to do where they are too many."""
    return max(0, (numbers.stop - numbers.start) // numbers.step + 1)
