"""Models on disk while they are trained, from which a fit goes on after a crash."""

import json
import re
from contextlib import nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from skmerc._utils.checkpoints import FitFolder, check_same_fit, fingerprint_of
from skmerc._utils.files import write_atomically
from skmerc._utils.types import FilePath
from skmerc._utils.warnings import warn_user
from skmerc.exceptions import DamagedCheckpointWarning

_DECIDES_NOTHING = (
    "model", "device", "cache", "local_files_only", "errors", "verbose", "checkpoint",
)  # fmt: skip


class FineTuningCheckpoint(FitFolder):
    """Keep the latest pass of each model in a folder.

    A file holds tensors and, as text, what else belongs to them; no code is run by
    reading it. Inside a ``with`` block no other fit may use the folder.

    Parameters
    ----------
    folder : str or Path
        Where the files go; made if it is not there.
    fingerprint : dict of str to str
        By name, the hash of everything that must agree with the files.
    """

    unfinished = re.compile(r"\.fine-tuning-\d{2,}\.safetensors\.[0-9a-f]+\.tmp")

    def __init__(self, folder: FilePath, fingerprint: dict[str, str]) -> None:
        super().__init__(folder)
        self._fingerprint = fingerprint

    @classmethod
    def of(cls, estimator: Any, data: dict) -> Any:
        """Make that of a fit to some data, or an empty context where none is wanted."""
        if estimator.checkpoint is None:
            return nullcontext()
        return cls(
            estimator.checkpoint, fingerprint_of(estimator, data, _DECIDES_NOTHING)
        )

    def of_model(self, number: int) -> "ModelFile":
        """Return where one of the models is kept."""
        name = f"fine-tuning-{number:02}.safetensors"
        self.written.add(name)
        return ModelFile(self.path / name, self._fingerprint)


class ModelFile:
    """The latest pass of one model: tensors by name, and what is told of them."""

    def __init__(self, path: Path, fingerprint: dict[str, str]) -> None:
        self._path, self._fingerprint = path, fingerprint

    def read(self) -> tuple[dict[str, torch.Tensor], dict] | None:
        """Return tensors and what is told, or None where there are none."""
        if not self._path.exists():
            return None
        try:
            tensors, metadata = _read(self._path)
        except Exception as error:  # safetensors has kinds of its own
            self._tell_of_damage(f"{type(error).__name__}: {error}")
            return None
        if metadata.keys() != {"told", "digest"}:
            raise ValueError(
                f"{self._path} was not written by a fit, and would be written over. "
                "Move it, or name another folder."
            )
        if metadata["digest"] != _digest(tensors, metadata["told"]):
            self._tell_of_damage("its content is not what was written")
            return None
        told, folder = json.loads(metadata["told"]), self._path.parent
        check_same_fit(folder, told["fingerprint"], self._fingerprint, told["threads"])
        return tensors, told

    def _tell_of_damage(self, how: str) -> None:
        warn_user(
            f"{self._path} is damaged ({how}); this model is trained from the start.",
            DamagedCheckpointWarning,
        )

    def write(self, tensors: dict[str, torch.Tensor], told: dict) -> None:
        """Write a pass in place of the one before."""
        from safetensors.torch import save  # which comes with sentence-transformers

        tensors = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        told |= {"fingerprint": self._fingerprint, "threads": torch.get_num_threads()}
        text = json.dumps(told)
        metadata = {"told": text, "digest": _digest(tensors, text)}
        write_atomically(self._path, save(tensors, metadata), follow=False)


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata() or {}


def _digest(tensors: dict[str, torch.Tensor], told: str) -> str:
    digest = blake2b(told.encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
