"""What a shell calls: arguments in, an exit code out, errors in a sentence."""

import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from skmerc._utils.output import leave_output
from skmerc.cli._parser import make_parser
from skmerc.cli._words import UsageError, as_options, tell

_EXPECTED = (OSError, ImportError, ValueError, TypeError, FloatingPointError)
"""What the package says of data and models that it refuses."""


def main(argv: Sequence[str] | None = None) -> int:
    r"""Run the command ``skmerc``.

    Parameters
    ----------
    argv : list of str or None, default=None
        The arguments, without the name of the program; by default those of the
        process.

    Returns
    -------
    int
        The exit code: 0 where all went well, 1 where a table or a model is refused, and
        130 where the work was interrupted.

    Raises
    ------
    SystemExit
        With the code 2 if the arguments are wrong, and with 0 after ``--help``.

    Notes
    -----
    Results go to the standard output, and progress, warnings and errors to the
    standard error. With ``--debug`` exceptions are printed as Python prints them.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skmerc.cli import main
    >>> with TemporaryDirectory() as folder:
    ...     calls = Path(folder, "calls.csv")
    ...     _ = calls.write_text("dialogue,text,label\n1,Hello,joy\n1,No,anger\n")
    ...     main(["check", str(calls), "--json", "--out", str(calls) + ".json"])
    0
    """
    parser = make_parser()
    arguments = parser.parse_args(argv)
    try:
        with _told_in_words(arguments.debug):
            commands: Any = import_module("skmerc.cli._commands")
            return getattr(commands, arguments.command)(arguments)
    except UsageError as error:
        parser.error(str(error))
    except BrokenPipeError:
        leave_output()
        return 1
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130
    except Exception as error:
        if arguments.debug:
            traceback.print_exc()
        _tell(f"error: {_sentence(error)}")
        return 1


def _tell(words: str) -> None:
    tell(f"skmerc: {words}")


def _sentence(error: Exception) -> str:
    if isinstance(error, _EXPECTED) and str(error):
        return as_options(str(error))
    return f"{type(error).__name__}: {error} (--debug shows where it came from)"


@contextmanager
def _told_in_words(debug: bool) -> Iterator[None]:
    """Print warnings as sentences, once, and hide those for programmers."""
    told = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        words = as_options(str(message))
        if words not in told:
            told.add(words)
            _tell(f"warning: {words}")

    with warnings.catch_warnings():
        if not (debug or sys.warnoptions):
            warnings.simplefilter("ignore")
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = show
        yield
