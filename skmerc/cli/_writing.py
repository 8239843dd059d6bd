"""Tables of results, for a file or the standard output."""

import io
import sys
from argparse import Namespace
from pathlib import Path

import pandas as pd

from skmerc._utils.files import write_atomically
from skmerc._utils.optional import need
from skmerc.cli._parser import FORMATS
from skmerc.cli._words import UsageError


def format_of(arguments: Namespace, default: str) -> str:
    """Tell what results are written as, and refuse what cannot be before any work."""
    ending = Path(arguments.out).suffix.lower().removeprefix(".")
    if arguments.out == "-":
        chosen = arguments.format or default
    else:
        chosen = arguments.format or ending
        refuse_no_folder(arguments.out)
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


def refuse_no_folder(path: str) -> None:
    """Refuse a file that could not be written when the work is done."""
    folder = Path(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"--out {path}: there is no folder {str(folder)!r}.")
    if Path(path).is_dir():
        raise IsADirectoryError(f"--out {path} is a folder; name a file.")


def write(table: pd.DataFrame, text: str, path: str, format_: str) -> None:
    """Write a table, or the text that tells it."""
    content = _content(table, text, format_)
    if path == "-":
        sys.stdout.write(content.decode())
        sys.stdout.flush()
    else:
        write_atomically(path, content)


def _content(table: pd.DataFrame, text: str, format_: str) -> bytes:
    if format_ == "parquet":
        packed = io.BytesIO()
        table.to_parquet(packed, index=False)
        return packed.getvalue()
    if format_ == "csv":
        return table.to_csv(index=False).encode()
    if format_ == "json":
        records = table.to_json(orient="records", force_ascii=False, indent=2)
        return f"{records}\n".encode()
    if format_ == "jsonl":
        return table.to_json(orient="records", force_ascii=False, lines=True).encode()
    return f"{text}\n".encode()
