"""The files of a checkpoint: whose they are, and how they are read and let go of."""

import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skmerc._utils.checkpoints import FitFolder
from skmerc._utils.files import write_atomically
from skmerc._utils.warnings import warn_user
from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._files import check_file
from skmerc.datasets.formats.pickles._unpickle import unpack
from skmerc.exceptions import DamagedCheckpointWarning

_DIGEST_SIZE = hashlib.sha256().digest_size
_KEPT = 2
_MAGIC = b"state of a fit of skmerc\n"
_STRANGE = (b"PK", b"\x80")  # how files of torch and pickles begin
_OURS = re.compile(r"epoch-\d{6,}\.pt")


class CheckpointFolder(FitFolder):
    """The folder of a fit that keeps its state after each epoch."""

    unfinished = re.compile(r"\.epoch-\d{6,}\.pt\.[0-9a-f]+\.tmp")

    def read(self) -> Iterator[tuple[str, dict]]:
        """Yield names and states of the epochs that are whole, the newest first."""
        for path in self._files():
            state = self._read(path)
            if state is not None:
                yield path.name, state

    def write(self, number: int, state: dict) -> None:
        """Write the state of an epoch, and let go of the one before the last."""
        saved = io.BytesIO()
        torch.save(state, saved)
        digest = hashlib.sha256(saved.getbuffer()).digest()
        path = self.path / f"epoch-{number:06}.pt"
        content = _MAGIC + digest + saved.getvalue()
        write_atomically(path, content, follow=False)
        self.written.add(path.name)
        own = [path for path in self._files() if path.name in self.written]
        for old in own[_KEPT:]:
            old.unlink()

    def _files(self) -> list[Path]:
        """List the files that are named after an epoch, the newest first."""
        names = filter(_OURS.fullmatch, os.listdir(self.path))
        order = sorted(names, key=lambda name: int(name[6:-3]), reverse=True)
        return [self.path / name for name in order]

    def _read(self, path: Path) -> dict | None:
        """Read the state in a file; None if the file is damaged."""
        try:
            check_file(path)
        except (OSError, ValueError) as error:
            _warn(str(error).rstrip("."))
            return None
        content = path.read_bytes()
        if content.startswith(_STRANGE):
            raise ValueError(
                f"{path} was not written by a fit, and would be written over. Move it, "
                "or name another folder."
            )
        content = content.removeprefix(_MAGIC)
        digest, content = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
        if hashlib.sha256(content).digest() != digest:
            _warn(f"{path} is damaged")
            return None
        try:
            state = unpack(io.BytesIO(content), content, Budget(len(content)))
            return dict(_tensors(state))
        except Exception as error:
            raise ValueError(
                f"{path} is no checkpoint of this package ({type(error).__name__}: "
                f"{error}). Nothing of it has run; delete it, or name another folder."
            ) from error


def _warn(fault: str) -> None:
    warn_user(
        f"{fault}; training goes on from the file before it, or from the start where "
        "there is none.",
        DamagedCheckpointWarning,
    )


def _tensors(thing: Any) -> Any:
    if isinstance(thing, np.ndarray):
        return torch.from_numpy(thing.copy())
    if isinstance(thing, dict):
        return {key: _tensors(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing)(map(_tensors, thing))
    return thing
