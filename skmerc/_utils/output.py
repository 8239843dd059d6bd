"""What is printed: results of commands, and what is said beside the work."""

import os
import sys
from contextlib import suppress
from typing import TextIO


def tell(words: str, stream: TextIO | None) -> None:
    """Print a line beside the work, which goes on where it cannot be written.

    A service may have no console, or a closed one, or one that ends on a full disk.
    """
    if stream is not None:  # or print would take the standard output
        with suppress(OSError, ValueError):
            print(showable(words, stream), file=stream, flush=True)


def showable(text: str, stream: TextIO) -> str:
    """Write what a stream has no letters for as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def takes_words(stream: TextIO | None) -> bool:
    """Whether there is a stream that is open, and has taken all that was written."""
    try:
        getattr(stream, "flush", bool)()
    except (OSError, ValueError):
        return False
    return stream is not None


def leave_output() -> None:
    """Write no more: whoever read the standard output has seen enough.

    What still waits to be written would fail when the process ends.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
