"""Zip archives as programs give them, read in memory and never unpacked to a disk."""

import zipfile
from collections import defaultdict
from pathlib import PurePosixPath

from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._files import check_file, content_of

_SIGN = b"PK\x03\x04"
_PART = 2**20
"""Bytes that are unpacked at a time, to count them."""
_GROWTH = 4
"""How many times its own size the bytes in an archive count for rows."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_OF_SYSTEMS = ("__MACOSX",)
_DEEPEST = 20
"""Folders within each other; exports have two or three."""


def is_archive(path):
    """Tell whether a path names a zip archive, by its ending and its first bytes."""
    if path.suffix.lower() != ".zip" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SIGN)) == _SIGN


class Archive:
    """What an archive says that it holds.

    Parameters
    ----------
    path : Path
        The archive.
    """

    def __init__(self, path):
        self.path, self.size = path, check_file(path)
        self.budget = Budget(self.size)
        self.files, folders = {}, defaultdict(dict)
        with content_of(path, "a zip archive"):
            # It stays open, since to read what an archive holds takes time each time.
            self._opened = zipfile.ZipFile(path)
            for member in self._opened.infolist():
                place = member.filename.strip("/")
                if member.is_dir() or _is_hidden(place):
                    continue
                if place in self.files:
                    raise ValueError(f"{path} holds {place!r:.200} twice.")
                self.files[place] = member
                _add_to(folders, place)
        # Names of what is in a folder, in the order of the archive.
        self.folders = {"": [], **{name: [*found] for name, found in folders.items()}}

    def read(self, place):
        """Unpack a file, as far as the budget goes."""
        member, parts, where = self.files[place], [], self.path / place
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise ValueError(
                f"{where} is encrypted or packed in an unusual way; unpack the archive "
                "first."
            )
        with self._opened.open(member) as file:
            while part := file.read(_PART):
                what = f"{where}, which is packed (unpack the archive first),"
                self.budget.claim(len(part), what)
                parts.append(part)
        data = b"".join(parts)
        if len(data) != member.file_size:
            raise ValueError(
                f"{where} has {len(data)} bytes, and claims to have {member.file_size}."
            )
        return data

    def size_of(self, places):
        """Count the bytes of files, which are no more than an archive can hold."""
        size = sum(self.files[place].file_size for place in places)
        return min(size, _GROWTH * self.size)

    def top(self):
        """Return the folder in which everything is."""
        place = ""
        while len(inside := self.folders[place]) == 1:
            deeper = f"{place}/{inside[0]}".lstrip("/")
            if not any(f"{deeper}/{name}" in self.folders for name in self._in(deeper)):
                break
            place = deeper
        return Packed(self, place)

    def _in(self, place):
        return self.folders.get(place, ())

    def all_files(self):
        """List all files, in the order of their names."""
        return [Packed(self, place) for place in sorted(self.files)]


def _is_hidden(place):
    parts = place.split("/")
    return parts[0] in _OF_SYSTEMS or parts[-1].startswith(".") or not place


def _add_to(folders, place):
    """Note in which folders a file is, and these in others."""
    parts = place.split("/")
    if len(parts) > _DEEPEST:
        raise ValueError(f"{place!r:.100} lies in more than {_DEEPEST} folders")
    for depth, name in enumerate(parts):
        folders["/".join(parts[:depth])][name] = None


class Packed:
    """A file or a folder in an archive, with the manners of a path."""

    def __init__(self, archive, place):
        self.archive, self.place = archive, place
        name = PurePosixPath(place or archive.path.name)
        self.name, self.stem, self.suffix = name.name, name.stem, name.suffix

    def __str__(self):
        return str(self.archive.path / self.place)

    def __fspath__(self):
        return str(self)

    def __truediv__(self, name):
        return Packed(self.archive, f"{self.place}/{name}".lstrip("/"))

    def __lt__(self, other):
        return self.place < other.place

    @property
    def parent(self):
        """The folder that it is in; that of the archive for itself."""
        return Packed(self.archive, self.place.rpartition("/")[0])

    def resolve(self):
        """Return itself, since there are no links in archives."""
        return self

    def is_symlink(self):
        """Say that it is no link: what an archive calls one is read as a file."""
        return False

    def is_dir(self):
        """Tell whether it is a folder."""
        return self.place in self.archive.folders

    def exists(self):
        """Tell whether it is there."""
        return self.is_dir() or self.place in self.archive.files

    def iterdir(self):
        """Return what is in the folder."""
        return (self / name for name in self.archive.folders[self.place])

    def read_bytes(self):
        """Unpack the file."""
        return self.archive.read(self.place)
