"""Files that cannot be trusted: what a path names, and what is wrong with a content."""

import os
import re
import stat
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from skmerc._utils.files import as_path
from skmerc._utils.types import FilePath
from skmerc.datasets.formats._budget import OverBudgetError
from skmerc.exceptions import UnsafePickleError

_NO_FILES = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_STAND_INS = {
    b"version https://git-lfs": "a Git LFS pointer and not the file itself; run `git "
    "lfs pull` in its repository",
    b"<!doctype html": "a web page and not the file itself; follow the link on that "
    "page",
    b"<html": "a web page and not the file itself; follow the link on that page",
    b"<?xml": "an answer of a server in XML and not the file itself; open it to see "
    "what the server says",
    b"404: not found": "the answer of a server that has no such file; mend the address "
    "and download it again",
}
_HEAD = 200
_READ = 2**26
"""Bytes of a file that are looked at for what a transfer has done to it."""

_CONTROLS = re.compile(b"[\0-\x08\x0e-\x1f]")
"""Bytes that no text holds."""

_ENOUGH = 2
"""Line feeds of a file that are no chance any more, where all follow a return."""

_DOCUMENTED = (ImportError, Warning)
_KINDS = (UnsafePickleError, OverBudgetError)
_TEXTS = ("CSV", "JSON lines")


def check_file(path):
    """Demand a regular file, before anything opens it, and return its size in bytes.

    To open a pipe waits for somebody who writes into it, and a device such as
    ``/dev/zero`` never ends. What a server or Git has put in the place of a file is
    refused, too. Links are followed.
    """
    path = Path(path)
    try:
        found = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(_absence(path)) from None
    except ValueError as error:  # what Python says of a zero byte in a path
        raise FileNotFoundError(f"There is no file {path!s:.200}: {error}.") from error
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(f"{path} is a folder; give the file in it.")
    if not stat.S_ISREG(found.st_mode):
        kind = _NO_FILES.get(stat.S_IFMT(found.st_mode), "something else")
        raise ValueError(
            f"{path} is {kind} and no file; write what it gives to a file, and read "
            "that one."
        )
    _refuse_stand_in(path)
    return found.st_size


def _absence(path):
    if path.is_symlink():
        return f"There is no file {path}: it is a link to {os.readlink(path)}."
    return f"There is no file {path}."


def _refuse_stand_in(path):
    """Refuse the placeholder of a file that was not downloaded."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, kind in _STAND_INS.items():
        if head.startswith(start):
            raise ValueError(f"{path} is {kind}.")


def signs_of_transfer(path):
    """Say what a transfer as text has done to a file of bytes; nothing if no sign is.

    Programs that take a file for text change its line ends, or its characters. What is
    returned is a sentence with a blank in front, or nothing.
    """
    path = Path(path)
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        data = file.read(_READ)
    # A pickle of protocol 0 is text, whose last sign is a point.
    if not _CONTROLS.search(data) and not data.endswith(b"."):
        return ""
    found = _signs_of_line_ends(data) or _signs_of_characters(data)
    if not found:
        return ""
    return (
        f" {found}, as programs do that take it for text (FTP in text mode, Git with "
        "autocrlf, an editor). Transfer it again as binary."
    )


def _signs_of_line_ends(data):
    n_pairs, n_feeds = data.count(b"\r\n"), data.count(b"\n")
    if n_feeds >= _ENOUGH and n_pairs == n_feeds:
        return (
            "Its line ends were changed to those of Windows (CRLF): each line feed has "
            "a carriage return before"
        )
    # How many pairs there would be by chance.
    expected = data.count(b"\r") * n_feeds / max(1, len(data))
    if not n_pairs and expected > 10:
        return (
            "Its line ends were changed: no carriage return is left before a line feed"
        )
    return ""


def _signs_of_characters(data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    if "\ufffd" in text:
        return "Its bytes that are no text were replaced"
    if not text.isascii() and max(text) <= "\xff":
        return "Its bytes above 127 were written as two each"
    return ""


@contextmanager
def content_of(path, kind, *others):
    """Tell what goes wrong with the content of a file as a ValueError that names it.

    Libraries for files raise errors of twenty kinds for what is damaged, and what they
    read may be of any type. Those that are documented pass as they are if they name the
    file, or one of `others`; the error of a library stays the cause of what is raised.
    """
    try:
        yield
    except _DOCUMENTED:
        raise
    except (ValueError, OSError) as error:
        named = any(str(file) in str(error) for file in (path, *others))
        if named or getattr(error, "errno", None) is not None:
            raise
        make = type(error) if isinstance(error, _KINDS) else ValueError
        raise make(f"{path}: {error}") from error
    except Exception as error:
        raise damaged(path, kind, error) from error


class SoundFileError(ValueError):
    """A file is what it seems to be, and is refused for what stands in it."""


def damaged(path, kind, error):
    """Make the error of a file that its reader cannot read."""
    if isinstance(error, SoundFileError):
        return ValueError(f"{path} cannot be read: {error}.")
    signs = "" if kind in _TEXTS else signs_of_transfer(path)
    return ValueError(
        f"{path} cannot be read as {kind} ({type(error).__name__}: {error}); it is "
        f"truncated, damaged or of another kind.{signs}"
    )


_Function = TypeVar("_Function", bound=Callable[..., Any])


def reader(load: _Function) -> _Function:
    """Let a function that reads a path raise documented errors only."""

    @wraps(load)
    def load_checked(path: FilePath, *args: Any, **settings: Any) -> Any:
        path, features = as_path(path), settings.get("features") or []
        others = features.values() if isinstance(features, dict) else [features]
        with content_of(path, "data of this kind", *others):
            return load(path, *args, **settings)

    return cast(_Function, load_checked)
