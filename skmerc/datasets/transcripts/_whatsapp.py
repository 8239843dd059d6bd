"""Chats that WhatsApp exports as text."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from os import PathLike

import pandas as pd

from skmerc._utils.compat import validate_params
from skmerc._utils.types import FilePath
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.transcripts._dialogues import (
    as_table,
    cut_at_pauses,
    seconds_of_pause,
)
from skmerc.datasets.transcripts._sources import (
    find_files,
    lines_of,
    read_text,
    total_size,
)

_USUAL = r"_chat|.*whatsapp.*"
"""How telephones call the chat in an archive, beside what was sent in it."""
_INVISIBLE = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_BLANKS = re.compile("[\u00a0\u2007\u202f]")
_HALVES = {
    "am": 0, "πμ": 0, "ص": 0, "上午": 0, "午前": 0, "오전": 0,
    "pm": 12, "μμ": 12, "م": 12, "下午": 12, "午後": 12, "오후": 12,
}  # fmt: skip
"""The hours before each half of a day, as languages call these."""
_MOMENT = (
    r"(\d{1,4})([./-]) ?(\d{1,2})\2 ?(\d{1,4})\.?(?:[,،]| um| at| à| klo| kl\.)? "
    r"(?:([上下]午|午[前後]|오[전후]) ?)?(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?"
    r"(?: ?([AaPp]\.? ?[Mm]\.?|[Ππμ]\.? ?[Μμ]\.?|[صم]))?"
)
_HEADERS = (
    re.compile(rf"\[{_MOMENT}\] ?(.*)", re.DOTALL),
    re.compile(rf"{_MOMENT} [-–] (.*)", re.DOTALL),
)
_LONGEST_HEADER = 60
_SHORTEST_HEADER = len("1/1/20 1:10 - ")
_NAME = re.compile(r"([^:]{1,100}):(?: (.*)|$)", re.DOTALL)
_ANGLES = re.compile(r"<[^<>]{3,60}>")
_ATTACHED = re.compile(
    r"[A-Z]{3}-\d{8}-WA\d{4,9}\.\w{2,5} \([^()]{3,40}\)"
    r"|\S.{0,300} \((?:file attached|Datei angehängt|archivo adjunto|fichier joint"
    r"|arquivo anexado|ficheiro anexado|file allegato|bestand bijgevoegd)\)"
)
"""Files that telephones name themselves, in all languages, or else in some."""
_EDITED = "<This message was edited>"
_SAID_BY_NOBODY = {
    "audio omitted", "contact card omitted", "document omitted", "gif omitted",
    "image omitted", "missed video call", "missed voice call", "sticker omitted",
    "this message was deleted", "video omitted", "waiting for this message",
    "you deleted this message",
    "diese nachricht wurde gelöscht", "du hast diese nachricht gelöscht",
    "este mensaje fue eliminado", "se eliminó este mensaje", "eliminaste este mensaje",
    "ce message a été supprimé", "vous avez supprimé ce message",
    "esta mensagem foi apagada", "mensagem apagada", "você apagou esta mensagem",
    "esta mensagem foi eliminada", "eliminou esta mensagem",
    "questo messaggio è stato eliminato", "hai eliminato questo messaggio",
    "dit bericht is verwijderd", "je hebt dit bericht verwijderd",
    "u hebt dit bericht verwijderd",
}  # fmt: skip
_QUOTES = (('"', '"'), ("“", "”"), ("«", "»"), ("„", "“"))
_EPOCH = dt.datetime(1970, 1, 1)


@validate_params(
    {
        "path": [str, PathLike, list, tuple],
        "day_first": ["boolean", None],
        "new_dialogue_after": [str, dt.timedelta, None],
        "encoding": [str, None],
    },
    prefer_skip_nested_validation=True,
)
def load_whatsapp(
    path: FilePath | Sequence[FilePath],
    *,
    day_first: bool | None = None,
    new_dialogue_after: str | timedelta | None = "6h",
    encoding: str | None = None,
) -> tuple[pd.DataFrame, None]:
    r"""Read chats that WhatsApp has exported as text.

    Parameters
    ----------
    path : str, Path or list of these
        A file, several, or a folder, of which all files that end in ``.txt`` are read;
        or the zip archive that telephones make, which may hold sounds and pictures.
    day_first : bool, default=None
        Whether dates begin with the day, as 31/12/23, and not with the month. By
        default each file tells: by a number above 12, by points between the numbers
        (day first), by a year in front (then the month is the next), or because in one
        of both orders its days go backwards. Where none of these tells, it is an error.
    new_dialogue_after : str or timedelta, default="6h"
        The pause after which a new dialogue begins. The default is our choice: a night
        parts, a meal does not. With None each file is one dialogue.
    encoding : str, default=None
        The encoding of the files, see :func:`load_subtitles`.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 6)
        The table of :func:`to_frame`: the keys and ``"utterance"``, one row for each
        message, with ``"timestamp"``: seconds since 1970 on the clock of the telephone
        that exported, whose zone the file does not tell. Rows are in the order of the
        file; dialogues are called ``<file>_0``, ``<file>_1`` and so on.
    y : None
        Chats have no labels.

    Raises
    ------
    FileNotFoundError
        If a file is not there, or a folder has none.
    ValueError
        If a file is of another kind, damaged or without a message, has a date that
        does not exist, or it is unclear whether its dates begin with the day. The error
        names the line.

    Warns
    -----
    TextEncodingWarning
        If a file was read as Windows-1252.

    See Also
    --------
    load_slack : Read an export of Slack.

    Notes
    -----
    Both forms are read: ``12/31/23, 9:15 PM - Anna: text`` (Android) and
    ``[31.12.23, 21:15:08] Anna: text`` (iPhone), with marks of direction and narrow
    blanks among them. Lines that begin with no date go on with the message above, and
    so do those of the other form than the first, which were pasted into it.

    Left out is what nobody has written: lines without a name, texts that begin with
    the mark U+200E in the form of the iPhone (its sign for what the program says),
    ``<Media omitted>`` in all languages, names of attached files (what is written under
    them stays), deleted messages, and the note that a message was edited. Of deleted
    messages, and of attached files with names of their own, the form of Android tells
    in words, which are known in Dutch, English, French, German, Italian, Portuguese
    and Spanish.

    References
    ----------
    .. [1] WhatsApp, "How to export your chat history",
       https://faq.whatsapp.com/1180414079177245. The format has no public
       description; both forms are those that telephones write.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_whatsapp
    >>> lines = [
    ...     "[30.12.23, 21:15:08] Anna: Where are you?",
    ...     "[30.12.23, 21:16:10] Ben: On the train.",
    ...     "[31.12.23, 09:00:00] Anna: Good morning!",
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "chat.txt")
    ...     _ = file.write_text("\n".join(lines))
    ...     X, _ = load_whatsapp(file)
    >>> X[["dialogue__id", "dialogue__speaker", "utterance"]]
      dialogue__id dialogue__speaker       utterance
    0       chat_0              Anna  Where are you?
    1       chat_0               Ben   On the train.
    2       chat_1              Anna   Good morning!
    """
    pause = seconds_of_pause(new_dialogue_after)
    files, dialogues = find_files(path, {".txt"}, _USUAL), []
    for name, file in files:
        with content_of(file, "a chat of WhatsApp"):
            entries = _read_entries(file, lines_of(read_text(file, encoding)))
            rows = _utterances(file, entries, day_first)
            if not rows:
                raise ValueError(f"{file} has no message of a person.")
            dialogues += cut_at_pauses(name, rows, pause)
    return as_table(dialogues, ["timestamp"], path, total_size(files))


@dataclass(frozen=True)
class _Entry:
    """A line that begins with a date, and those below it that begin with none."""

    line: int
    date: tuple  # three texts of digits
    sign: str  # between these
    clock: tuple  # hour, minute and second, None where missing
    half: str | None  # of the day
    in_brackets: bool
    lines: list


def _read_entries(path, lines):
    entries = []
    for number, line in enumerate(lines, 1):
        entry = _entry_of(number, line)
        # A line of the other form is part of another chat, pasted into a message.
        if entry and entry.in_brackets == (entries or [entry])[0].in_brackets:
            entries.append(entry)
        elif entries:
            entries[-1].lines.append(line)
        elif line.strip():
            raise ValueError(
                f"{path}: line {number} is {line!r:.100}, and a chat of WhatsApp "
                "begins with a date, such as '12/31/23, 9:15 PM - Anna: text'."
            )
    return entries


def _entry_of(number, line):
    """Read the date in front of a line, among marks of direction; None without one."""
    if len(line) < _SHORTEST_HEADER:
        return None
    head = _BLANKS.sub(" ", _INVISIBLE.sub("", line[:_LONGEST_HEADER]))
    matches = [header.match(head) for header in _HEADERS]
    match = matches[0] or matches[1]
    if match is None:
        return None
    first, sign, second, third, before, *clock, behind, rest = match.groups()
    return _Entry(
        line=number,
        date=(first, second, third),
        sign=sign,
        clock=tuple(clock),
        half=before or behind,
        in_brackets=matches[0] is not None,
        lines=[_behind(line, len(head) - len(rest))],
    )


def _behind(line, n_visible):
    """Return what stands behind so many characters that are no marks of direction."""
    at = 0
    while n_visible and at < len(line):
        n_visible -= _INVISIBLE.match(line[at]) is None
        at += 1
    return line[at:]


def _utterances(path, entries, day_first):
    order = _order_of_dates(path, entries, day_first)
    said = [(*_said(entry), _moment(path, entry, order)) for entry in entries]
    return [
        {"speaker": name, "text": text, "timestamp": moment}
        for name, text, moment in said
        if text
    ]


def _said(entry):
    """Return who wrote an entry, and what; no text if nobody did."""
    line = entry.lines[0].lstrip("\u200f\u202a\u202b\ufeff")
    match = _NAME.match(line)
    if match is None or _is_within_quotes(match[1]):
        return None, ""
    name = " ".join(_BLANKS.sub(" ", _INVISIBLE.sub("", match[1])).split())
    first = (match[2] or "").strip()
    if _is_by_nobody(first, entry.in_brackets):
        first = ""
    text = "\n".join([first, *entry.lines[1:]])
    return name or None, _without_note(text.strip("\u200e \t\n"))


def _is_within_quotes(beginning):
    """Tell whether a quotation has begun, as in: Ann created group "Trip: Rome"."""
    return any(
        beginning.count(mark) % 2
        if mark == end
        else beginning.count(mark) > beginning.count(end)
        for mark, end in _QUOTES
    )


def _is_by_nobody(text, in_brackets):
    if in_brackets and text.startswith("\u200e"):
        return True
    text = _INVISIBLE.sub("", text[:400])
    known = text.strip(". ").lower() in _SAID_BY_NOBODY
    return known or any(kind.fullmatch(text) for kind in (_ANGLES, _ATTACHED))


def _without_note(text):
    """Take away the note behind a text that it was edited."""
    at = text.rfind("<")
    note = text[at:] if at >= 0 else ""
    marked = at > 0 and text[at - 1] == "\u200e" and _ANGLES.fullmatch(note)
    return text[:at].rstrip("\u200e \n") if marked or note == _EDITED else text


def _order_of_dates(path, entries, day_first):
    """Say where year, month and day stand in the dates of a file."""
    year_first = [entry for entry in entries if len(entry.date[0]) > 2]
    if year_first:
        others = [entry for entry in entries if len(entry.date[0]) < 3]
        if others:
            raise ValueError(
                f"{path}: line {year_first[0].line} begins with the year and line "
                f"{others[0].line} does not; these are two chats, or one of them is "
                "what somebody has pasted into a message: put a blank before its date."
            )
        return "ymd"
    if day_first is None:
        day_first = _is_day_first(path, entries)
    return "dmy" if day_first else "mdy"


def _is_day_first(path, entries):
    days = [entry for entry in entries if int(entry.date[0]) > 12]
    months = [entry for entry in entries if int(entry.date[1]) > 12]
    if days and months:
        raise ValueError(
            f"{path}: line {days[0].line} begins with the day and line "
            f"{months[0].line} with the month; these are two chats, or day_first= "
            "tells which line is wrong."
        )
    if days or months:
        return bool(days)
    if all(entry.sign == "." or entry.date[0] == entry.date[1] for entry in entries):
        return True
    forwards = [_goes_forwards(entries, order) for order in ("dmy", "mdy")]
    if forwards[0] != forwards[1]:
        return forwards[0]
    first = entries[0]
    raise ValueError(
        f"{path}: nothing tells whether the dates begin with the day or with the "
        f"month, such as {first.sign.join(first.date)} in line {first.line}. "
        "Say it: day_first=True or day_first=False."
    )


def _goes_forwards(entries, order):
    days = [_in_order(entry, order) for entry in entries]
    return all(later >= earlier for earlier, later in pairwise(days))


def _in_order(entry, order):
    """Return year, month and day."""
    numbers = dict(zip(order, map(int, entry.date), strict=True))
    digits = dict(zip(order, entry.date, strict=True))["y"]
    year = numbers["y"] + 2000 * (len(digits) < 3)
    return year, numbers["m"], numbers["d"]


def _moment(path, entry, order):
    hour, minute, second = (int(number or 0) for number in entry.clock)
    try:
        if entry.half and not 0 <= hour <= 12:
            raise ValueError("hours before and after noon end at 12")
        if entry.half:
            hour = hour % 12 + _HALVES[re.sub("[. ]", "", entry.half.lower())]
        moment = dt.datetime(*_in_order(entry, order), hour, minute, second)
    except ValueError as error:
        raise ValueError(
            f"{path}: the date and time in line {entry.line} are none ({error}), with "
            f"the day {'first' if order == 'dmy' else 'behind the month'}."
        ) from error
    return (moment - _EPOCH).total_seconds()
