"""Texts as people have them: as text, as bytes, or not at all."""

import re

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar

_CONTROLS = re.compile("[\x80-\x9f]")
_UNUSED = (0x81, 0x8D, 0x8F, 0x90, 0x9D)
_CP1252 = {
    code: bytes([code]).decode("cp1252")
    for code in range(0x80, 0xA0)
    if code not in _UNUSED
}


def is_missing(value):
    """Tell whether a value is None, NaN, NaT, NA or masked."""
    if value is None or value is np.ma.masked:
        return True
    return is_scalar(value) and bool(pd.isna(value))


def decode(value):
    """Make text of bytes, which are UTF-8 or else Windows-1252; leave all else."""
    if isinstance(value, np.ndarray) and value.ndim == 0 and value is not np.ma.masked:
        value = value.item()
    if not isinstance(value, bytes | bytearray | memoryview):
        return value
    data = bytes(value).rstrip(b"\0")  # by which arrays of bytes are filled up
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return mend_controls(text)


def mend_controls(text):
    """Put the signs of Windows-1252 where its bytes were read as control characters."""
    return text.translate(_CP1252) if _CONTROLS.search(text) else text


def decode_latin(text):
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


def is_whole(text):
    """Tell whether a text holds whole characters only, and no surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def name_of(value):
    """Write an id or a name as text, also where it came as bytes."""
    return str(decode(value))
