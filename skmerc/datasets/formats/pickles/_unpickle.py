"""Feature files of unknown origin, unpickled without running what they ask for."""

import zipfile
from pathlib import Path

from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._files import check_file, signs_of_transfer
from skmerc.datasets.formats._nesting import count_elements
from skmerc.datasets.formats._packed import packed_by, unpacked, way_of_packing
from skmerc.datasets.formats.pickles._machine import Machine
from skmerc.datasets.formats.pickles._torch import (
    MAGIC,
    find_pickle,
    read_archive,
    read_legacy,
)
from skmerc.exceptions import UnsafePickleError

_FOREIGN_BYTES = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, such as .csd or .h5; read it with h5py",
    b"\x93NUMPY": "a NumPy array; read it with numpy.load",
    b"PAR1": "a parquet table; read it with skmerc.datasets.load_table",
    b"MATLAB": "a MATLAB file; read it with scipy.io.loadmat",
    b"ZF": "packed by joblib before 0.10; if you trust it, read it with joblib.load "
    "and write it anew",
}


def read_pickle(path):
    """Read a pickle, or what `torch.save` or `joblib.dump` wrote, as plain data.

    Python's containers and numbers, NumPy arrays and pandas tables come as they are,
    torch tensors as arrays, and instances of the class `Sample` of COGMEN and JOYFUL
    as `Record`. Text that Python 2 wrote is read as Latin-1, byte by byte. A pickle,
    of joblib or not, may be packed by zlib, gzip, bzip2, xz or lzma.
    """
    path = Path(path)
    size = check_file(path)
    head, tail = _ends(path, size)
    kind = _foreign_kind(path, head, tail)
    if kind:
        raise ValueError(f"{path} is no pickle: it is {kind}.{signs_of_transfer(path)}")
    try:
        with path.open("rb") as file:
            return unpack(file, head, Budget(size))
    except UnsafePickleError as error:
        raise UnsafePickleError(
            f"{path} is refused: {error}. Nothing of it has run. A file of features "
            "needs numbers, text and containers of them only; ask its authors for one."
            f"{signs_of_transfer(path)}"
        ) from None
    except (ImportError, OSError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as a pickle ({type(error).__name__}: {error}); it "
            f"is truncated, damaged or of another kind. Download it again.{_hint(head)}"
            f"{signs_of_transfer(path)}"
        ) from error


def _hint(head):
    way = way_of_packing(head)
    return f" It is packed by {way}; unpack it first, to know more." if way else ""


def unpack(file, head, budget):
    """Read an open file: what torch has saved, in its form of then or now, or a pickle.

    `head` is how it begins. Tensors become arrays.
    """

    def load(file, size, find_storage=None):
        return Machine(file, size, budget, find_storage).load()

    def load_alone(file, size):
        value = load(file, size)
        if file.read(1):
            raise ValueError("more bytes follow behind the end of the pickle")
        return value

    if head.startswith(b"PK"):
        value = read_archive(file, budget.size, load)
    elif head.startswith(MAGIC):
        value = read_legacy(file, budget.size, load)
    elif way_of_packing(head):
        value = load_alone(*unpacked(file, head, budget))
    else:
        value = load_alone(file, budget.size)
    count_elements(value, budget, "what it holds")
    return value


def _ends(path, size):
    with path.open("rb") as file:
        head = file.read(200)
        file.seek(max(0, size - 1))
        return head, file.read()


def _foreign_kind(path, head, tail):
    """Say what a file is that is no pickle; nothing if it can be one."""
    if not head:
        return "empty; download it again"
    for start, kind in _FOREIGN_BYTES.items():
        if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(start):
            return kind
    if head.startswith(b"PK"):
        return _foreign_archive(path)
    if way_of_packing(head):
        return None
    if packed_by(head):
        return (
            f"packed by {packed_by(head)}, which is not read here; unpack it first, or "
            "write it anew with compress='zlib' (joblib) or compression='gzip' (pandas)"
        )
    if head.startswith(b"\x80") or (head[0] in Machine.dispatch and tail == b"."):
        return None
    line = head.splitlines()[0]
    if b"," in line or b"\t" in line:
        return f"a text table whose first line is {line[:60]!r}; read it as CSV"
    return f"something, or a part of something, that begins with {head[:20]!r}"


def _foreign_archive(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # zipfile knows many words for it
        return "the first part of a zip archive; download it again"
    if find_pickle(names):
        return None
    if all(name.endswith(".npy") for name in names):
        return "a NumPy archive; read it with skmerc.datasets.load_table or numpy.load"
    return f"a zip archive of {', '.join(names[:3])}; unpack it first"
