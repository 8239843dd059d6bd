"""What was said, as every reader gives it: text, or None where it is missing."""

from collections import Counter

from skmerc.frame._texts import clean, is_whole, tell_of_changes


def clean_texts(values, where, place_of):
    """Read texts, None where one is missing, and warn once of how many that changed.

    Bytes are decoded. Missing are None, NaN, NaT, NA and masked cells; empty texts stay
    as they are. `where` is what holds them, for the warning, and `place_of` names the
    place of a text by its number, for the error of what is neither text nor missing or
    holds half a character.
    """
    changes = Counter()
    texts = [_clean(value, at, place_of, changes) for at, value in enumerate(values)]
    tell_of_changes(changes, len(texts), where)
    return texts


def _clean(value, at, place_of, changes):
    text = clean(value, changes)
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(
            f"{place_of(at)} is {value!r:.200}, which is no text; "
            "give one text, or None."
        )
    if not is_whole(text):
        raise ValueError(
            f"{place_of(at)} is {text!r:.200}, which holds half a character (a "
            "surrogate); the file that it is from was cut or wrongly decoded."
        )
    return text
