"""How a program has written a table of text: encoding, separator and decimal mark."""

import codecs
import csv
import gzip
import re
from dataclasses import dataclass, replace

from skmerc.datasets.formats._packed import packed_by

_BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_HEAD = 64
_SEPARATORS = (",", ";", "\t", "|")
_TOLD = re.compile(r'("?)sep=(.)\1[\r\n]*', re.IGNORECASE)
_DECIMAL = re.compile(r"\s*[-+]?\d*([.,])\d+(?:e[-+]?\d+)?\s*", re.IGNORECASE)


class LayoutError(ValueError):
    """A table of text is intact, and is not laid out as one that can be read."""


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Parameters
    ----------
    path : Path
        The file; ending in ``.gz`` if it is packed.
    encoding : str
        Of its characters.
    separator : {",", ";", tab, "|"}
        What stands between cells.
    spaced : bool
        Whether a blank stands behind each separator.
    skipped : int
        Lines in front of the header.
    decimal : {".", ","}
        What stands between a number and its fraction.
    n_rows : int or None
        Rows in front of those at the end in which all cells are empty.
    """

    path: object
    encoding: str
    separator: str = ","
    spaced: bool = False
    skipped: int = 0
    decimal: str = "."
    n_rows: int | None = None

    def open(self):
        """Open the file, at its header."""
        opened = gzip.open if self.path.suffix.lower() == ".gz" else open
        lines = opened(self.path, "rt", encoding=self.encoding, newline="")
        for _ in range(self.skipped):
            lines.readline()
        return lines

    def rows(self, lines):
        """Read the cells of each line; refuse what follows a closing quotation mark."""
        return csv.reader(
            lines,
            delimiter=self.separator,
            skipinitialspace=self.spaced,
            strict=True,
        )

    @property
    def of_pandas(self):
        """Say the same to `pandas.read_csv`."""
        return {
            "encoding": self.encoding,
            "sep": self.separator,
            "skipinitialspace": self.spaced,
            "nrows": self.n_rows,
            "skiprows": self.skipped,
            "decimal": self.decimal,
        }


def find_dialect(path, encoding=None):
    """Find out how a table is written, all but its decimal mark.

    Excel begins its text of Unicode with a byte order mark. It writes semicolons where
    the comma is the decimal mark, and tabs where it is told so; the line ``sep=;`` in
    front tells it what it reads. People put a blank behind the comma.
    """
    dialect = Dialect(path, _encoding_of(path, encoding))
    with dialect.open() as lines:
        told = _TOLD.fullmatch(lines.readline(9))
    if told:
        dialect = replace(dialect, skipped=1)
    headers = {sep: _header(dialect, sep) for sep in (told[2] if told else _SEPARATORS)}
    separator = max(headers, key=lambda sep: len(headers[sep]))
    others = headers[separator][1:]
    spaced = bool(others) and all(name.startswith(" ") for name in others)
    return replace(dialect, separator=separator, spaced=spaced)


def marked_encoding(head):
    """Tell an encoding by the byte order mark in front; None if there is none."""
    marks = _BYTE_ORDER_MARKS.items()
    return next((encoding for mark, encoding in marks if head.startswith(mark)), None)


def known_encoding(name):
    """Name an encoding of text as Python does, with its byte order mark for UTF-8."""
    try:
        known = codecs.lookup(name).name
        "".encode(known)
    except LookupError as error:
        raise LayoutError(
            f"encoding={name!r} is none that Python knows; give one such as 'cp1252'"
        ) from error
    return "utf-8-sig" if known == "utf-8" else known


def _encoding_of(path, told):
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        head = file.read(_HEAD)
    way = packed_by(head)
    if way == "zip" or head.startswith(_OLD_WORKBOOK):
        kind = "a zip archive" if way else "a file of Office"
        raise LayoutError(
            f"it is {kind}, such as a workbook of Excel; save its table as 'CSV UTF-8'"
        )
    if way:
        named = ", or let its name end in .gz" if way == "gzip" else ""
        raise LayoutError(f"it is packed by {way}: unpack it{named}")
    if marked_encoding(head):
        return marked_encoding(head)
    if told is not None:
        return known_encoding(told)
    if b"\0" in head:
        raise LayoutError(
            "it holds zero bytes: if it is UTF-16, write it with a byte order mark, or "
            "as UTF-8"
        )
    return "utf-8-sig"


def _header(dialect, separator):
    with dialect.open() as lines:
        try:
            return next(replace(dialect, separator=separator).rows(lines), [])
        except csv.Error:  # a header without this separator may be too long for a cell
            return []


class DecimalMarks:
    """Learns the decimal mark of a table from its cells, row by row.

    `are_numbers` says of each column whether its cells are to be numbers.
    """

    def __init__(self, dialect, are_numbers):
        self.found = {}
        # Where a comma stands between cells, none is inside a number but by mistake.
        wanted = [] if dialect.separator == "," else enumerate(are_numbers)
        self.columns = [at for at, is_number in wanted if is_number]

    def look_at(self, cells, line):
        """Take the cells of a line into account."""
        for at in self.columns:
            match = _DECIMAL.fullmatch(cells[at])
            if match:
                self.found.setdefault(match[1], line)

    @property
    def mark(self):
        """The decimal mark of the table."""
        if len(self.found) > 1:
            lines = " and ".join(f"{m!r} in line {n}" for m, n in self.found.items())
            raise LayoutError(
                f"numbers have {lines}; write all of them with one decimal mark, and "
                "nothing between thousands"
            )
        return next(iter(self.found), ".")
