"""What joblib puts in the place of an array: what it is, and then its bytes."""

import numpy as np

from skmerc.datasets.formats._arrays import n_elements, width_of
from skmerc.datasets.formats.pickles._makers import Maker, Part, only, with_texts

WRAPPER = "NumpyArrayWrapper"
_STATE = {"subclass", "shape", "order", "dtype", "allow_mmap"}
_ALIGNED = "numpy_array_alignment_bytes"


def _refuse_old(*args):
    raise TypeError(
        "a form of joblib before 0.10, whose arrays are in files of their own; if you "
        "trust it, read it with joblib.load and write it anew"
    )


def read_array(state, file, budget, load):
    """Read the array behind the object that stands for it, of which `state` tells.

    Arrays of objects are pickles, which `load` reads from the file.
    """
    if type(state) is not dict or set(state) - {_ALIGNED} != _STATE:
        raise TypeError("a state that joblib does not write")
    subclass, shape, dtype = state["subclass"], state["shape"], state["dtype"]
    if type(subclass) is not Maker or subclass.kind not in ("ndarray", "memmap"):
        raise TypeError("a class that is not numpy.ndarray")
    if not isinstance(dtype, np.dtype) or state["order"] not in ("C", "F"):
        raise TypeError("an array without a type")
    if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
        raise TypeError("a shape that is no tuple of lengths")
    if dtype.hasobject:
        objects = load()
        if type(objects) is not np.ndarray or objects.shape != shape:
            raise TypeError("objects that do not fill an array")
        return objects
    budget.claim(n_elements(shape) * width_of(dtype), f"an array of shape {shape}")
    if state.get(_ALIGNED) is not None:
        file.read(file.read(1)[0])
    n_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    numbers = np.frombuffer(file.read(n_bytes), dtype)
    return with_texts(numbers).reshape(shape, order=state["order"])


MAKERS = {
    ("joblib", WRAPPER): only(lambda: Part(WRAPPER), set(), {0}),
    # As scikit-learn kept it before 0.21.
    ("sklearn", WRAPPER): only(lambda: Part(WRAPPER), set(), {0}),
    ("joblib", "NDArrayWrapper"): _refuse_old,
    ("joblib", "ZNDArrayWrapper"): _refuse_old,
}
