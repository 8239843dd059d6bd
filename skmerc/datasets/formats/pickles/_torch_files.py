"""What torch has saved, read as arrays by the machine for pickles, without torch."""

import io
import zipfile

from skmerc.datasets.formats.pickles._torch import Storage

_PICKLE = "/data.pkl"


def find_pickle(names):
    """Find the member of an archive of torch that holds its pickle, or None."""
    return next((name for name in names if name.endswith(_PICKLE)), None)


def read_archive(file, size, load):
    """Read a zip archive of torch.

    Parameters
    ----------
    file : file of bytes
        The archive.
    size : int
        Its bytes.
    load : callable
        Reads a pickle: of a file of bytes, its size, and a function that makes the
        storage that the pickle names by type, key and length.

    Returns
    -------
    object
        What was saved.
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
    """Read what torch wrote before it wrote zip archives.

    The numbers follow the pickles, so that arrays are made before they are filled.

    Parameters
    ----------
    file : file of bytes
        The file.
    size : int
        Its bytes.
    load : callable
        As for :func:`read_archive`.

    Returns
    -------
    object
        What was saved.
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
