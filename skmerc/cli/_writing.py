"""Tables of results, for a file or the standard output."""

import io
import sys
from argparse import Namespace
from pathlib import Path

import pandas as pd

from skmerc._utils.files import as_path, refuse_unwritable, write_atomically
from skmerc._utils.optional import need
from skmerc._utils.output import showable
from skmerc.cli._parser import FORMATS
from skmerc.cli._words import UsageError

_READ = ("file", "model_file", "diarization")
"""Arguments that name a file which is read."""


def format_of(arguments: Namespace, default: str) -> str:
    """Tell what results are written as, and refuse what cannot be before any work."""
    ending = Path(arguments.out).suffix.lower().removeprefix(".")
    if arguments.out == "-":
        chosen = arguments.format or default
        if sys.stdout is None:
            raise UsageError("There is no standard output; name a file, --out FILE.")
    else:
        chosen = arguments.format or ending
        refuse_out(arguments)
    if chosen == "parquet" and arguments.out == "-":
        raise UsageError("--format parquet needs --out FILE.")
    if chosen not in (*FORMATS, default):
        raise UsageError(
            f"--out {arguments.out}: its ending is none of {', '.join(FORMATS)}; "
            "rename it, or say --format."
        )
    if chosen == "parquet":
        need("parquet", "pyarrow")
    return chosen


def refuse_out(arguments: Namespace) -> None:
    """Refuse a file that could not be written when the work is done, or is read."""
    path = arguments.out
    folder = as_path(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"--out {path}: there is no folder {str(folder)!r}.")
    if as_path(path).is_dir():
        raise IsADirectoryError(f"--out {path} is a folder; name a file.")
    for name in _READ:
        given = getattr(arguments, name, None)
        if given and _are_one(path, given):
            raise UsageError(
                f"--out {path} is the file {given} that is read, and would be lost; "
                "name another one."
            )
    refuse_unwritable(path)


def _are_one(path: str, other: str) -> bool:
    one, another = as_path(path), as_path(other)
    return one.exists() and another.exists() and one.samefile(another)


def write(table: pd.DataFrame, text: str, path: str, format_: str) -> None:
    """Write a table, or the text that tells it."""
    content = _content(table, text, format_)
    if path == "-":
        _print(content)
    else:
        write_atomically(path, content)


def _print(content: bytes) -> None:
    """Write to the standard output: what a terminal can show, else bytes as in a file.

    The encoding of a process without terminal may be one of a few letters, and its
    lines may end in another way: on Windows they do.
    """
    out = sys.stdout
    raw = getattr(out, "buffer", None)
    if raw is None:  # that of a notebook or a test takes text alone
        out.write(content.decode())
    elif out.isatty():
        out.write(showable(content.decode(), out))
    else:
        out.flush()
        raw.write(content)
    out.flush()


def _content(table: pd.DataFrame, text: str, format_: str) -> bytes:
    if format_ == "parquet":
        packed = io.BytesIO()
        table.to_parquet(packed, index=False)
        return packed.getvalue()
    if format_ == "csv":
        return table.to_csv(index=False, lineterminator="\n").encode()
    if format_ == "json":
        records = table.to_json(orient="records", force_ascii=False, indent=2)
        return f"{records}\n".encode()
    if format_ == "jsonl":
        return table.to_json(orient="records", force_ascii=False, lines=True).encode()
    return f"{text}\n".encode()
