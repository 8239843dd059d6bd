"""What pickled tensors are made of: NumPy arrays, by way of torch's own safe loader."""

import io
import pickle
import re

from skmerc.exceptions import UnsafePickleError

# The number that torch.save begins with, except in the zip archives of today.
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def read_torch_file(path):
    """Read what `torch.save` has written, with arrays in the place of tensors."""
    return _plain(_load(path))


def _load(source):
    import torch

    try:
        return torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)|function (<.*?>)", str(error))
        if named is None:
            raise
        raise UnsafePickleError(f"it names {named[1] or named[2]!r}") from None


def _plain(value):
    import torch

    if isinstance(value, torch.Tensor):
        return _array(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | set | tuple):
        kind = tuple if isinstance(value, tuple) else type(value)
        return kind(_plain(item) for item in value)
    if type(value).__module__.partition(".")[0] == "torch":
        raise ValueError(f"it holds a {type(value).__name__}, which is no array")
    return value


def _array(tensor):
    """NumPy has no bfloat16; float32 holds each of its numbers."""
    import torch

    tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    return tensor.detach().contiguous().numpy()


def _load_storage(blob):
    import torch

    if type(blob) is not bytes or not blob.startswith(MAGIC):
        raise TypeError("bytes that are no stored numbers")
    storage = _load(io.BytesIO(blob))
    if not isinstance(storage, torch.TypedStorage):
        raise TypeError("bytes that are no stored numbers")
    return storage


def _rebuild_tensor(storage, offset, size, stride, *rest):
    """Make an array; torch checks that it stays within the numbers stored."""
    import torch

    numbers = torch.empty(0, dtype=storage.dtype).set_(storage)
    return _array(numbers.as_strided(size, stride, offset))


MAKERS = {
    ("torch", "_load_from_bytes"): _load_storage,
    ("torch", "_rebuild_tensor_v2"): _rebuild_tensor,
}
