"""CMU-MOSI from the files that the community shares."""

from pathlib import Path

import numpy as np
import pandas as pd

from skmerc._utils.compat import StrOptions, validate_params
from skmerc.datasets._corpus import TEXT
from skmerc.datasets.corpora._sentiment import LABEL_LIST, load_clips, read_clips
from skmerc.datasets.formats._border import damaged, reader
from skmerc.datasets.formats._clips import Clips, stack_parts
from skmerc.datasets.formats._regular_file import check_file

_LAYOUTS = [LABEL_LIST]
_TRANSCRIPTS = "transcripts.csv"
_MODALITIES = {"text": "text", "audio": "audio", "video": "visual"}

_DESCRIPTION = """\
CMU-MOSI: sentiment in 2199 utterances of 93 videos from YouTube
================================================================

Each video is one person who talks about a film or a product; its utterances are the
turns of a dialogue with one speaker. Annotators scored them from -3 (strongly negative)
to 3 (strongly positive).

There are two official splits: 1284, 229 and 686 utterances of 52, 10 and 31 videos
(MMSA, GCNet), and 1447 and 752 of 62 and 31 videos without a dev part (bc-LSTM). In the
latter, 49 % of the training utterances are positive and 62 % of the test ones, and the
text and visual features come from networks that were fitted on the training part.

Source: Zadeh, Zellers, Pincus and Morency, "MOSI: Multimodal Corpus of Sentiment
Intensity and Subjectivity Analysis in Online Opinion Videos", 2016.
"""
_LICENCE = (
    "CMU-MOSI is for research under the terms of Carnegie Mellon University. Most "
    "repositories that share features of it name no licence."
)


@validate_params(
    {
        "path": [str, Path],
        "modalities": [str, "array-like", None],
        "label": [StrOptions({"score", "polarity", "seven"})],
        "split": [str, "array-like", None],
        "members": ["array-like", None],
        "clamp": ["boolean"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
@reader
def load_mosi(
    path,
    *,
    modalities=None,
    label="score",
    split=None,
    members=None,
    clamp=False,
    return_X_y=False,
):
    """Read CMU-MOSI, sentiment in monologues, from a file that you have.

    Parameters
    ----------
    path : str or Path
        A file or folder, see Notes.
    modalities : str or list of str, default=None
        Those to read of ``"text"``, ``"audio"`` and ``"visual"``; by default all
        that there are.
    label : {"score", "polarity", "seven"}, default="score"
        What `target` is: the score from -3 to 3; its sign, where 0 counts as
        positive; or the score rounded to a whole number, as text.
    split : str or list of str, default=None
        The official parts to read: ``"train"``, ``"dev"``, ``"test"``. By
        default all.
    members : list of str, default=None
        What the members of a pickle are, in their order, if it is of no known
        layout: ``"labels"``, ``"ids"``, ``"sentences"``, ``"text"``,
        ``"audio"``, ``"visual"``, ``"train"``, ``"dev"``, ``"test"``, and
        ``"_"`` for those to ignore. For padded arrays ``"train_data"``,
        ``"train_label"``, ``"train_length"`` and so on.
    clamp : bool, default=False
        Whether to take scores above 3 for 3 and below -3 for -3. Early files of MOSEI
        hold a few up to 5, averaged over too few ratings, and its authors clamp them.
        By default such a score is an error.
    return_X_y : bool, default=False
        Whether to return `data` and `target` alone.

    Returns
    -------
    bunch : Bunch
        With the attributes

        data : DataFrame of shape (n_utterances, 4 + n_features)
            Keyed table, see :func:`skmerc.frame.make_frame`. Where the file
            holds no features, its only other column is ``"utterance"``, what
            was said.
        target : ndarray of shape (n_utterances,)
            The labels.
        feature_names : list of str
            Columns of `data` behind the keys.
        target_names : list of str
            The classes in their order; empty for scores.
        split : ndarray of str of shape (n_utterances,)
            The official part of each utterance.
        metadata : DataFrame of shape (n_utterances, n_columns)
            What else the file tells: the utterance, its id, its score.
        DESCR : str
            Description of the corpus and of this copy.
        licence : str
            Terms of use.
    (data, target) : tuple
        With ``return_X_y=True``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or of another kind, its parts contradict each
        other, a score is beyond -3 to 3 (see `clamp`), or it does not hold the
        label, modality or part asked for.

    Warns
    -----
    UserWarning
        If frames with NaN or infinity were left out, or texts decoded, with their
        number.

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

    Pickles are read with an allow-list and never run code.

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
    path = Path(path)
    return load_clips(
        path,
        _read(path, members),
        label=label,
        modalities=modalities,
        split=split,
        clamp=clamp,
        return_X_y=return_X_y,
        description=_DESCRIPTION,
        licence=_LICENCE,
    )


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
