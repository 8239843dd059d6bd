"""Texts as people have them: as text, as bytes, or not at all."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar

from skmerc._utils.warnings import warn_user
from skmerc.exceptions import TextEncodingWarning

_CONTROLS = re.compile("[\x80-\x9f]")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UNUSED = (0x81, 0x8D, 0x8F, 0x90, 0x9D)
_CP1252 = {
    code: bytes([code]).decode("cp1252")
    for code in range(0x80, 0xA0)
    if code not in _UNUSED
}

_CHANGES = {
    "bytes": "{} were bytes and were decoded, as UTF-8 or else as Windows-1252",
    "controls": "{} held control characters that are quotation marks and dashes in "
    "Windows-1252 (such as \\x92 for ’), and have these instead",
}


def is_missing(value: Any) -> bool:
    """Tell whether a value is None, NaN, NaT, NA or masked."""
    if value is None or value is np.ma.masked:
        return True
    return is_scalar(value) and bool(pd.isna(value))


def is_blank(value: Any) -> bool:
    """Tell whether a value is text of nothing but blanks, or of nothing."""
    return isinstance(value, str) and not value.strip()


def decode(value: Any) -> Any:
    """Make text of bytes, which are UTF-8 or else Windows-1252; leave all else.

    Where a byte order mark says so, they are UTF-16. What is text of another class
    becomes a plain one: a member of an enumeration prints as its name, and not as what
    it says.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0 and value is not np.ma.masked:
        value = value.item()
    if isinstance(value, str):
        return str.__str__(value)
    if not isinstance(value, bytes | bytearray | memoryview):
        return value
    data = bytes(value)
    encoding = "utf-16" if data.startswith(_UTF_16) else "utf-8-sig"
    data = data if encoding == "utf-16" else data.rstrip(b"\0")  # which fill arrays up
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return mend_controls(text)


def mend_controls(text: str) -> str:
    """Put the signs of Windows-1252 where its bytes were read as control characters."""
    return text.translate(_CP1252) if _CONTROLS.search(text) else text


def clean(value: Any, changes: Counter) -> Any:
    """Decode and mend a text, and count in `changes` what that has changed.

    A missing one becomes None, and what is no text is left as it is.
    """
    text = decode(value)
    if is_missing(text):
        return None
    if not isinstance(text, str):
        return text
    mended = mend_controls(text)
    if not isinstance(value, str | np.ndarray):
        changes["bytes"] += 1
    elif mended != text:
        changes["controls"] += 1
    return str(mended)


def tell_of_changes(changes: Counter, n_texts: int, where: str) -> None:
    """Warn once of how many texts `clean` has changed."""
    if changes:
        told = "; ".join(_CHANGES[kind].format(n) for kind, n in changes.items())
        warn_user(f"{where}: of {n_texts} texts {told}.", TextEncodingWarning)


def decode_latin(text: Any) -> Any:
    """Read bytes of Python 2, which arrive as Latin-1, as they were meant.

    They are UTF-8, or Windows-1252, whose quotation marks and dashes are control
    characters in Latin-1. What is no text is left as it is.
    """
    if not isinstance(text, str):
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return mend_controls(text)


def is_whole(text: str) -> bool:
    """Tell whether a text holds whole characters only, and no surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def refuse_alike(texts: Iterable, name: str, rows: Sequence | None = None) -> None:
    """Refuse texts that look alike: other blanks around them, or other accents.

    An accent is part of its letter, or a character of its own, as in the names of
    files on a Mac. What is no text is passed over; rows are numbered, or given.
    """
    texts, seen = list(texts), dict[str, str]()
    for text in (text for text in dict.fromkeys(texts) if isinstance(text, str)):
        other = seen.setdefault(unicodedata.normalize("NFC", text.strip()), text)
        if other != text:
            at = [texts.index(one) for one in (other, text)]
            first, second = at if rows is None else [rows[n] for n in at]
            raise ValueError(
                f"{name} is {ascii(other)} in row {first} and {ascii(text)} in row "
                f"{second}, which look alike and would be two. Write all of them in "
                "one way: text.strip(), unicodedata.normalize('NFC', text)."
            )


def in_one_spelling(value: Any) -> Any:
    """Write a text in lower case, with single blanks and whole letters.

    What comes of a text depends on nothing else, so that two tables get the same.
    """
    if not isinstance(value, str):
        return value
    return " ".join(unicodedata.normalize("NFC", value).lower().split())


def find_spellings(values: Iterable) -> list[dict[str, int]]:
    """Find texts that differ only in case, blanks or the form of their accents.

    Each group of such is a dict of the texts and how often they occur.
    """
    counts = Counter(value for value in values if isinstance(value, str))
    groups: dict[str, dict[str, int]] = {}
    for text, count in counts.items():
        groups.setdefault(in_one_spelling(text), {})[text] = count
    return [group for group in groups.values() if len(group) > 1]


def name_of(value: Any) -> str:
    """Write an id or a name as text, also where it came as bytes."""
    return str(decode(value))
