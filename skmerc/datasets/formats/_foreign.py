"""What a file has become on its way: something else, or the same with other bytes."""

import re
from pathlib import Path

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


def refuse_stand_in(path):
    """Refuse what stands in the place of a file that was not downloaded."""
    with Path(path).open("rb") as file:
        head = file.read(_HEAD)
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, kind in _STAND_INS.items():
        if head.startswith(start):
            raise ValueError(f"{path} is {kind}.")


def signs_of_transfer(path):
    """Say what a transfer as text has done to a file of bytes; nothing if no sign is.

    Programs that take a file for text change its line ends, or its characters.

    Parameters
    ----------
    path : str or Path
        A file that cannot be read as what it is to be.

    Returns
    -------
    str
        A sentence with a blank in front, or nothing.
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
