"""Progress bars: one line for each step, with a name and the time left."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from tqdm.auto import tqdm

from skmerc._utils.output import takes_words
from skmerc.config import get_config


def is_shown(verbose: int | bool) -> bool:
    """Whether an estimator, or the settings of this thread, ask for progress bars."""
    return max(int(verbose), get_config()["verbose"]) > 0


def progress(
    iterable: Iterable | None = None,
    *,
    owner: Any,
    step: str = "",
    verbose: int | bool,
    **settings: Any,
) -> tqdm:
    """Open the bar of a step of an estimator, which is named or given.

    Further settings are those of tqdm.
    """
    # Services and programs without a console have nothing to draw a bar on.
    hidden = not (is_shown(verbose) and takes_words(sys.stderr))
    kind = _Hidden if hidden else _Shown
    return kind(iterable, desc=title(owner, step), disable=hidden, **settings)


class _Shown(tqdm):
    """A bar without which the work goes on, where a full disk or a pipe ends it."""

    def display(self, *args: Any, **kwargs: Any) -> Any:
        """Draw it, if that is possible."""
        with suppress(OSError, ValueError):
            return super().display(*args, **kwargs)

    def close(self) -> None:
        """End its line, if that is possible."""
        with suppress(OSError, ValueError):
            super().close()


class _Hidden(tqdm):
    """A bar that is not drawn, and starts no thread that looks after it."""

    monitor_interval = 0


def title(owner: Any, step: str = "") -> str:
    """Name a step of an estimator, or its only one, as it stands in front of a bar."""
    name = owner if isinstance(owner, str) else type(owner).__name__
    return f"{name}, {step}" if step else name
