"""Models on disk while they are trained, from which a fit goes on after a crash."""

import json
import re
from hashlib import blake2b
from pathlib import Path

import torch

from skmerc._utils.checkpoints import (
    fingerprint_of,
    lock_folder,
    refuse_another_fit,
    tell_of_other_threads,
    unlock_folder,
)
from skmerc._utils.files import write_atomically
from skmerc._utils.warnings import warn_user
from skmerc.exceptions import DamagedCheckpointWarning

_UNFINISHED = re.compile(r"\.fine-tuning-\d{2,}\.safetensors\.[0-9a-f]+\.tmp")
_DECIDES_NOTHING = (
    "model", "device", "cache", "local_files_only", "errors", "verbose", "checkpoint",
)  # fmt: skip


class FineTuningCheckpoint:
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

    def __init__(self, folder, fingerprint):
        self._folder, self._fingerprint = Path(folder), fingerprint
        self._written = set()

    def __enter__(self):
        self._handle = lock_folder(self._folder)
        return self

    def __exit__(self, *error):
        unlock_folder(self._folder, self._handle)

    @classmethod
    def of(cls, estimator, data):
        """Make that of a fit to some data, which must agree like the parameters."""
        return cls(
            estimator.checkpoint, fingerprint_of(estimator, data, _DECIDES_NOTHING)
        )

    def of_model(self, number):
        """Return where one of the models is kept."""
        path = self._folder / f"fine-tuning-{number:02}.safetensors"
        self._written.add(path)
        return ModelFile(path, self._fingerprint)

    def remove(self):
        """Delete what was written, when the fit is finished."""
        for path in self._written:
            path.unlink(missing_ok=True)
        for path in self._folder.iterdir():
            if _UNFINISHED.fullmatch(path.name) and path.is_file():
                path.unlink()


class ModelFile:
    """The latest pass of one model: tensors by name, and what is told of them."""

    def __init__(self, path, fingerprint):
        self._path, self._fingerprint = path, fingerprint

    def read(self):
        """Return tensors and what is told, or None where there are none."""
        if not self._path.exists():
            return None
        try:
            tensors, metadata = _read(self._path)
        except Exception as error:  # safetensors has kinds of its own
            return self._tell_of_damage(f"{type(error).__name__}: {error}")
        if metadata.keys() != {"told", "digest"}:
            raise ValueError(
                f"{self._path} was not written by a fit, and would be written over. "
                "Move it, or name another folder."
            )
        if metadata["digest"] != _digest(tensors, metadata["told"]):
            return self._tell_of_damage("its content is not what was written")
        told, folder = json.loads(metadata["told"]), self._path.parent
        refuse_another_fit(folder, told["fingerprint"], self._fingerprint)
        tell_of_other_threads(folder, told["threads"])
        return tensors, told

    def _tell_of_damage(self, how):
        warn_user(
            f"{self._path} is damaged ({how}); this model is trained from the start.",
            DamagedCheckpointWarning,
        )

    def write(self, tensors, told):
        """Write a pass in place of the one before."""
        from safetensors.torch import save  # which comes with sentence-transformers

        tensors = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
        told |= {"fingerprint": self._fingerprint, "threads": torch.get_num_threads()}
        told = json.dumps(told)
        metadata = {"told": told, "digest": _digest(tensors, told)}
        write_atomically(self._path, save(tensors, metadata), follow=False)


def _read(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata() or {}


def _digest(tensors, told):
    digest = blake2b(told.encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
