"""Which columns of a table hold texts, sounds, clips and features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from skmerc.frame._columns import ParsedTable, locate_blocks
from skmerc.frame._names import kind_of
from skmerc.frame._numbers import holds_numbers

NAMES = {
    "text": ("utterance", "text"),
    "audio": ("audio", "sound", "wav"),
    "video": ("video", "clip"),
}
"""What the column of each modality may be called where nobody says it."""


TIMES = ("start", "end")
"""What readers of transcripts write beside texts, and is no feature."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table by what they hold.

    Attributes
    ----------
    keys : list of str
        The keys.
    raw : dict of str to str
        The column of texts, sounds and clips, by modality.
    features : dict of str to list of str
        The columns of each block of features.
    """

    keys: list
    raw: dict
    features: dict

    def names(self) -> dict[str, str]:
        """Block that each raw modality becomes; features that are there keep theirs."""
        return {
            name: f"raw_{name}" if name in self.features else name for name in self.raw
        }


def find_columns(table: ParsedTable, asked: Mapping[str, Any]) -> Columns:
    """Find the columns of each modality among those that are no keys.

    `asked` has "auto", None or the name of a column for each raw modality.
    """
    features = table.features
    words = [name for name in features.columns if not holds_numbers(features[name])]
    raw = {}
    for modality, given in asked.items():
        found = _find(modality, given, features, words)
        if found is not None:
            raw[modality] = found
    unread = {n for m, given in asked.items() if given != "auto" for n in NAMES[m]}
    unread |= set(raw.values())
    _refuse_unknown([name for name in words if name not in unread])
    numbers = [n for n in features.columns if n not in words and n not in raw.values()]
    if not raw and not numbers:
        raise ValueError(
            "X has no text and no features to learn from: its columns are "
            f"{', '.join(map(repr, table.data.columns)) or 'none'}. Give a table with "
            "a column of texts, as to_frame makes it, or features of numbers."
        )
    return Columns(list(table.key_names.values()), raw, _blocks(numbers))


def without_times(table: ParsedTable) -> ParsedTable:
    """Leave the times out that readers of transcripts write beside the texts."""
    columns = getattr(table.data, "columns", ())
    times = [name for name in TIMES if name in columns]
    if not times or NAMES["text"][0] not in columns:
        return table
    return ParsedTable(table.data.drop(columns=times), table.key_names)


def _find(modality: str, given: Any, features: pd.DataFrame, words: list) -> Any:
    if given is None:
        return None
    if given == "auto":
        return next((name for name in NAMES[modality] if name in words), None)
    if given not in features.columns:
        raise ValueError(
            f"{modality}={given!r}, and X has no such column; it has "
            f"{', '.join(map(repr, features.columns)) or 'keys alone'}."
        )
    return given


def _refuse_unknown(names: list) -> None:
    if not names:
        return
    keys = {kind_of(name): name for name in names}
    keys = {
        kind: keys[kind] for kind in ("dialogue", "turn", "speaker") if kind in keys
    }
    how = ""
    if keys:
        given = ", ".join(f"{kind}={name!r}" for kind, name in keys.items())
        how = (
            " A table of conversations is made by to_frame, which reads who speaks in "
            f"which dialogue: skmerc.datasets.to_frame(table, {given}, ...)."
        )
    raise ValueError(
        f"X has the columns {', '.join(map(repr, names))}, which hold no numbers. "
        "Say which of them is the text (text=), the sound (audio=) or the clip "
        f"(video=), and leave the others out: X.drop(columns={names}).{how}"
    )


def _blocks(names: list) -> dict[str, list]:
    """Columns of each modality of features, by the prefix of their names."""
    if not names:
        return {}
    columns = pd.Index(names)
    located = locate_blocks(columns, len(names))
    return {block: columns[where].tolist() for block, where in located.items()}
