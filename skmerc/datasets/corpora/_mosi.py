"""CMU-MOSI from the files that the community shares."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from skmerc._utils.compat import StrOptions
from skmerc._utils.types import FilePath
from skmerc.datasets._corpus import TEXT
from skmerc.datasets.corpora._loading import loader
from skmerc.datasets.corpora._sentiment import LABEL_LIST, load_clips, read_clips
from skmerc.datasets.formats._clips import Clips, stack_parts
from skmerc.datasets.formats._files import check_file, damaged

_LAYOUTS = [LABEL_LIST]
_TRANSCRIPTS = "transcripts.csv"
_MODALITIES = {"text": "text", "audio": "audio", "video": "visual"}


@loader(label=[StrOptions({"score", "polarity", "seven"})], clamp=["boolean"])
def load_mosi(
    path: FilePath,
    *,
    modalities: str | Sequence[str] | None = None,
    label: Literal["score", "polarity", "seven"] = "score",
    split: str | Sequence[str] | None = None,
    members: Sequence[str] | None = None,
    clamp: bool = False,
    return_X_y: bool = False,
) -> Any:
    """Read CMU-MOSI, sentiment in monologues, from a file that you have.

    Parameters
    ----------
    path : str or Path
        A file or folder, see Notes.
    %(choices)s
    label : {"score", "polarity", "seven"}, default="score"
        What `target` is: the score from -3 to 3; its sign, where 0 counts as
        positive; or the score rounded to a whole number, as text.
    %(parts)s
    %(members)s
    %(clamp)s
    %(return_X_y)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

    Warns
    -----
    %(warns)s
    UserWarning
        If frames with NaN or infinity were left out, with their number.

    See Also
    --------
    load_mosei : The same for CMU-MOSEI.

    Notes
    -----
    What is read:

    - the pickles of MMSA (``aligned_50.pkl``, ``unaligned_50.pkl``), and those of
      MulT, MISA and others who keep scores under ``labels``;
    - the folder of bc-LSTM with ``transcripts.csv``, ``text_train.csv``,
      ``text_test.csv`` and ``text/text_train0.csv`` and so on, or the one above
      it; it tells the polarity only;
    - its padded pickles ``text.pickle``, ``audio.pickle`` and ``video.pickle``:
      one of them, or the folder that holds them. They tell the polarity only,
      and neither names of videos nor sentences;
    - the list of labels of GCNet (``CMUMOSI_features_raw_2way.pkl``), without
      features.

    A video is a dialogue of one speaker, and the number of an utterance in its
    video is the turn.

    MMSA keeps the frames of each utterance, which are averaged here: over the
    length that the file gives, or over the frames that are not all zero. Frames
    of zeros inside, where nothing was found, do not count, nor do those with
    infinity or NaN, of which COVAREP writes some (MMSA itself puts 0 there). An
    utterance without a frame left lacks the modality: its features are NaN.

    A score of 0 is positive in the labels of bc-LSTM (all 96 of them) and in
    the two-class accuracy of MMSA that keeps zeros; the other convention drops
    these utterances: ``bunch.metadata["score"] != 0``. Halves are rounded to
    the even number for the seven classes, as MMSA does.

    %(clips)s

    Examples
    --------
    >>> import pickle, tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_mosi
    >>> content = [
    ...     {"v1": ["v1_1", "v1_2"], "v2": ["v2_1"]},
    ...     {"v1": [2.4, -0.8], "v2": [0.0]},
    ...     {"v1": ["", ""], "v2": [""]},
    ...     {"v1": ["I LOVED IT", "BUT THE END"], "v2": ["WELL"]},
    ...     {"v1"}, set(), {"v2"},
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "CMUMOSI_features_raw_2way.pkl"
    ...     _ = path.write_bytes(pickle.dumps(content))
    ...     X, y = load_mosi(path, label="polarity", return_X_y=True)
    >>> X["utterance"].tolist(), y.tolist()
    (['I LOVED IT', 'BUT THE END', 'WELL'], ['positive', 'negative', 'positive'])
    """
    clips = _read(path, members)
    return load_clips("mosi", clips, path, label, modalities, split, clamp, return_X_y)


def _read(path, members):
    for folder in (path, path / "data"):
        if (folder / _TRANSCRIPTS).exists():
            return _read_tables(folder)
    return read_clips(path, _LAYOUTS, members)


def _read_tables(folder):
    transcripts = _read_transcripts(folder / _TRANSCRIPTS)
    rows = {part: _row_numbers(folder, part, transcripts) for part in ("train", "test")}
    _check_once(folder, transcripts, rows)
    chosen = transcripts.iloc[np.concatenate(list(rows.values()))]
    table = chosen.assign(split=np.repeat(list(rows), [len(r) for r in rows.values()]))
    blocks = {}
    for name, ours in _MODALITIES.items():
        if (folder / name).is_dir():
            parts = [
                _features(folder / name / f"{name}_{part}0.csv", transcripts.iloc[at])
                for part, at in rows.items()
            ]
            blocks[ours] = stack_parts(folder / name, name, parts)
    return Clips(table, {"positive": table["label"].to_numpy()}, blocks)


def _read_transcripts(path):
    table = _read_csv(path, dtype=str, keep_default_na=False)
    if table.shape[1] != 4:
        raise ValueError(
            f"{path} has {table.shape[1]} columns; known are four: <video>_<number>, "
            "text, number of the video, label."
        )
    place = table[0].str.extract(r"^(.+)_(\d{1,18})$")
    right = place[1].notna() & table[3].isin(["0", "1"])
    if not right.all():
        row = int(np.flatnonzero(~right)[0])
        raise ValueError(
            f"{path}: row {row} has the id {table[0][row]!r} and the label "
            f"{table[3][row]!r}; known are <video>_<number>, and 0 or 1."
        )
    return pd.DataFrame(
        {
            "dialogue": place[0],
            "turn": place[1].astype(int),
            "id": table[0],
            TEXT: table[1],
            "label": table[3].astype(int),
        }
    )


def _row_numbers(folder, part, transcripts):
    """Read which rows of the transcripts belong to a part."""
    path = folder / f"text_{part}.csv"
    numbers = _read_csv(path, usecols=[0])[0].to_numpy()
    if (
        numbers.dtype.kind not in "iu"
        or not np.isin(numbers, np.arange(len(transcripts))).all()
    ):
        raise ValueError(
            f"{path}: the first column is no row of {_TRANSCRIPTS}, which has "
            f"{len(transcripts)} rows."
        )
    return numbers


def _check_once(folder, transcripts, rows):
    """Demand that each utterance is in one part."""
    numbers = np.concatenate(list(rows.values()))
    counts = np.bincount(numbers, minlength=len(transcripts))
    wrong = np.flatnonzero(counts != 1)
    if len(wrong):
        raise ValueError(
            f"{folder}: {transcripts['id'][wrong[0]]!r} stands "
            f"{'twice' if counts[wrong[0]] else 'nowhere'} in text_train.csv and "
            "text_test.csv; they are damaged, or belong to other transcripts."
        )


def _features(path, utterances):
    """Read the features of a part; the last column repeats the label."""
    table = _read_csv(path)
    values = table.to_numpy()
    if values.dtype.kind not in "fi" or not np.isfinite(values).all():
        raise ValueError(f"{path} holds cells that are no finite numbers.")
    if len(values) != len(utterances):
        raise ValueError(
            f"{path} has {len(values)} rows, but the part has {len(utterances)} "
            "utterances."
        )
    wrong = np.flatnonzero(values[:, -1] != utterances["label"].to_numpy())
    if len(wrong):
        raise ValueError(
            f"{path}: the label in row {wrong[0]} is {values[wrong[0], -1]:g}, but "
            f"{_TRANSCRIPTS} has {utterances['label'].iloc[wrong[0]]} for "
            f"{utterances['id'].iloc[wrong[0]]!r}."
        )
    return values[:, :-1]


def _read_csv(path, **options):
    check_file(path)
    try:
        return pd.read_csv(path, header=None, low_memory=False, **options)
    except Exception as error:
        raise damaged(path, "CSV", error) from error
