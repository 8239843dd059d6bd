"""What pickled tables are made of: pandas objects, by public constructors only.

pandas' own functions for this trust the positions and lengths that a pickle tells.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from skmerc.datasets.formats.pickles._makers import Maker, Part, no_call, only

_INDEXES = {
    "CategoricalIndex": pd.CategoricalIndex,
    "DatetimeIndex": pd.DatetimeIndex,
    "Index": pd.Index,
    "MultiIndex": pd.MultiIndex,
    "RangeIndex": pd.RangeIndex,
    "TimedeltaIndex": pd.TimedeltaIndex,
}
_INDEX_STATE = {"data", "name", "start", "stop", "step", "freq"}
_INDEX_STATE |= {"levels", "codes", "sortorder", "names"}
_MASKED_TYPES = ["BooleanDtype", "Float32Dtype", "Float64Dtype"]
_MASKED_TYPES += [f"{u}Int{bits}Dtype" for u in ("", "U") for bits in (8, 16, 32, 64)]


class _Block(NamedTuple):
    values: object
    places: object


class _Manager(NamedTuple):
    blocks: tuple
    axes: list


def _block(values, places, ndim=1):
    if not isinstance(values, np.ndarray | pd.api.extensions.ExtensionArray):
        raise TypeError("values that are no array")
    return _Block(values, places)


def _index(cls, state):
    if type(cls) is not Maker or cls.kind not in _INDEXES or set(state) - _INDEX_STATE:
        raise TypeError("an index of an unknown kind")
    if cls.kind == "Index":
        state = state | {"dtype": state["data"].dtype}
    return _INDEXES[cls.kind](**state)


def _backed_array(cls, checksum, state):
    if type(cls) is not Maker or state is not None:
        raise TypeError("an array that is given its values twice")
    return Part(cls.kind)


def _text_type(*args):
    """Make the type of a text column, whose state older releases tell later."""
    if not args:
        return Part("StringDtype")
    storage, missing = args
    if storage not in ("python", "pyarrow"):
        raise TypeError("an unknown storage of text")
    return pd.StringDtype(storage, *([] if missing is pd.NA else [np.nan]))


def _arrow_text(data):
    """Read texts from Arrow's buffers, whose lengths and offsets Arrow then checks."""
    import pyarrow

    kind, n_rows, n_missing, start, buffers, _, _ = data
    kinds = {"string": pyarrow.string(), "large_string": pyarrow.large_string()}
    buffers = [None if part is None else pyarrow.py_buffer(part) for part in buffers]
    array = pyarrow.Array.from_buffers(kinds[kind], n_rows, buffers, n_missing, start)
    array.validate(full=True)
    return array.to_pylist()


def _parts(state):
    manager = state["_mgr"]
    if type(manager) is not _Manager or {*map(type, manager.blocks)} - {_Block}:
        raise TypeError("columns that are no arrays")
    return manager


def _places(places, n_columns):
    return range(n_columns)[places] if type(places) is slice else places.tolist()


def _check_length(values, index):
    """Demand a value for each row; pandas repeats a single one."""
    if len(values) != len(index):
        raise TypeError(f"{len(values)} values in {len(index)} rows")


def _frame(state):
    blocks, (columns, index) = _parts(state)
    found = {}
    for values, places in blocks:
        rows = values if values.ndim == 2 else [values]
        found |= zip(_places(places, len(columns)), rows, strict=True)
    for values in found.values():
        _check_length(values, index)
    series = {
        place: pd.Series(found[place], index=index, dtype=found[place].dtype)
        for place in range(len(columns))
    }
    frame = pd.DataFrame(series, index=index)
    frame.columns = columns
    frame.attrs = state.get("attrs", {})
    return frame


def _series(state):
    (block,), (index,) = _parts(state)
    _check_length(block.values, index)
    series = pd.Series(
        block.values, index=index, dtype=block.values.dtype, name=state["_name"]
    )
    series.attrs = state.get("attrs", {})
    return series


def _single_manager(state):
    axes, (values,), *_ = state
    return _Manager((_block(values, slice(None)),), axes)


def _categorical(state):
    dtype, codes, *_ = state
    return pd.Categorical.from_codes(codes, dtype=dtype)


def _text_array(state):
    dtype, values, *_ = state
    if not isinstance(dtype, pd.StringDtype) or type(values) not in (list, np.ndarray):
        raise TypeError("a text that is no text")
    return pd.array(values, dtype=dtype)


def _arrow_text_array(state):
    return _text_array((state["_dtype"], state["_pa_array"]))


def _masked_array(cls):
    return lambda state: cls(state["_data"], state["_mask"])


def _masked_type(cls):
    return lambda state: cls()


# What the state of an object makes of it, by the kind of the object.
BUILDERS = {
    "ArrowStringArray": _arrow_text_array,
    "BooleanArray": _masked_array(pd.arrays.BooleanArray),
    "CategoricalDtype": lambda state: pd.CategoricalDtype(**state),
    "DataFrame": _frame,
    "FloatingArray": _masked_array(pd.arrays.FloatingArray),
    "IntegerArray": _masked_array(pd.arrays.IntegerArray),
    "Series": _series,
    "SingleBlockManager": _single_manager,
    **{kind: _masked_type(getattr(pd, kind)) for kind in _MASKED_TYPES},
}
_BACKED_BUILDERS = {
    "Categorical": _categorical,
    "DatetimeArray": lambda state: state[1],
    "StringArray": _text_array,
    "TimedeltaArray": lambda state: state[1],
}

MAKERS = {
    **{("pandas", kind): only(partial(Part, kind), set(), {0}) for kind in BUILDERS},
    **{("pandas", kind): no_call for kind in [*_INDEXES, *_BACKED_BUILDERS]},
    ("pandas", "BlockManager"): _Manager,
    ("pandas", "StringDtype"): _text_type,
    ("pandas", "__pyx_unpickle_NDArrayBacked"): _backed_array,
    ("pandas", "_new_DatetimeIndex"): _index,
    ("pandas", "_new_Index"): _index,
    ("pandas", "_new_TimedeltaIndex"): _index,
    ("pandas", "_unpickle_block"): _block,
    ("pyarrow", "_restore_array"): _arrow_text,
    ("pyarrow", "py_buffer"): only(bytes, {bytes, bytearray}, {1}),
    ("pyarrow", "type_for_alias"): only(str, {str}, {1}),
}
BUILDERS |= _BACKED_BUILDERS
BUILDERS["StringDtype"] = lambda state: pd.StringDtype(state["storage"])
