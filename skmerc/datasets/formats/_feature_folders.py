"""Features in folders: one NumPy file, or one folder of faces, per utterance."""

import numpy as np

from skmerc._utils.files import as_path
from skmerc.datasets.formats._arrays import read_array
from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._files import check_file, damaged
from skmerc.datasets.formats._members import floats_of


def read_feature_folders(folders, ids, genders):
    """Read a block of each folder, a row an utterance.

    A folder holds ``<utterance id>.npy`` with one vector, or a sequence of them, of
    which the mean is taken; or, of two people in view, folders ``<utterance id>`` of
    such files, the woman's with an "F" in the name, and `genders` tell who speaks.
    Where the face of the speaker is nowhere, the row is NaN throughout.
    """
    return {
        name: _read_folder(as_path(folder), ids, genders)
        for name, folder in folders.items()
    }


def _read_folder(folder, ids, genders):
    pairs = zip(ids, genders, strict=True)
    rows = [_read_utterance(folder / name, gender) for name, gender in pairs]
    widths = {len(row): name for row, name in zip(rows, ids, strict=True) if len(row)}
    if len(widths) != 1:
        found = ", ".join(f"{width} in {name}" for width, name in widths.items())
        raise ValueError(
            f"{folder} holds vectors of different lengths ({found or 'none at all'})."
        )
    missing = np.full(next(iter(widths)), np.float32(np.nan))
    return np.stack([row if len(row) else missing for row in rows])


def _read_utterance(place, gender):
    """Return the mean vector; an empty one where no file belongs to the speaker."""
    file = place.with_name(f"{place.name}.npy")
    if file.exists() and not file.is_dir():
        return _mean_vector(file)
    if not place.is_dir():
        raise FileNotFoundError(f"There is neither {file} nor a folder {place}.")
    faces = sorted(place.glob("*.npy"))
    own = [_mean_vector(face) for face in faces if _whose(face) == gender]
    if len({len(vector) for vector in own}) > 1:
        raise ValueError(f"{place} holds vectors of different lengths.")
    return np.mean(own, axis=0) if own else np.empty(0, dtype="float32")


def _whose(face):
    for gender in "FM":
        if gender in face.name:
            return gender
    raise ValueError(f"{face} has neither 'F' nor 'M' in its name, so whose is it?")


def _mean_vector(file):
    budget = Budget(check_file(file))
    try:
        values = floats_of(read_array(file, budget))
    except Exception as error:
        raise damaged(file, "NumPy array of numbers", error) from error
    if not values.ndim or not values.size:
        raise ValueError(f"{file} has the shape {values.shape}, which is no vector.")
    return values.reshape(-1, values.shape[-1]).mean(axis=0)
