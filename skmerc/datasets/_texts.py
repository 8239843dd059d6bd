"""What was said, as every reader gives it: text, or None where it is missing."""

from collections import Counter

import numpy as np

from skmerc._utils.warnings import warn_user
from skmerc.exceptions import TextEncodingWarning
from skmerc.frame._texts import decode, is_missing, is_whole, mend_controls

_CHANGES = {
    "bytes": "{} were bytes and were decoded, as UTF-8 or else as Windows-1252",
    "controls": "{} held control characters that are quotation marks and dashes in "
    "Windows-1252 (such as \\x92 for ’), and have these instead",
}


def clean_texts(values, where, place_of):
    """Read texts, and warn once of how many were changed by that.

    Parameters
    ----------
    values : iterable
        Texts, or bytes; None, NaN, NaT, NA or a masked cell where one is missing.
    where : str
        What holds them, for the warning.
    place_of : callable
        Names the place of a text by its number, for an error.

    Returns
    -------
    list of str or None
        The texts; None where one is missing, and empty ones as they are.

    Raises
    ------
    ValueError
        If a value is neither text nor missing, or holds half a character.

    Warns
    -----
    TextEncodingWarning
        If bytes were decoded, or control characters replaced.
    """
    changes = Counter()
    texts = [_clean(value, at, place_of, changes) for at, value in enumerate(values)]
    if changes:
        told = "; ".join(_CHANGES[kind].format(n) for kind, n in changes.items())
        warn_user(f"{where}: of {len(texts)} texts {told}.", TextEncodingWarning)
    return texts


def _clean(value, at, place_of, changes):
    text = decode(value)
    if is_missing(text):
        return None
    if not isinstance(text, str):
        raise ValueError(
            f"{place_of(at)} is {value!r:.200}, which is no text; "
            "give one text, or None."
        )
    mended = mend_controls(text)
    if not isinstance(value, str | np.ndarray):
        changes["bytes"] += 1
    elif mended != text:
        changes["controls"] += 1
    if not is_whole(mended):
        raise ValueError(
            f"{place_of(at)} is {mended!r:.200}, which holds half a character (a "
            "surrogate); the file that it is from was cut or wrongly decoded."
        )
    return str(mended)
