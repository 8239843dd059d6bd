"""EmoryNLP: friends and their emotions, in writing."""

import ast
from pathlib import Path

import pandas as pd

from skmerc._utils.compat import validate_params
from skmerc.datasets._corpus import TEXT, as_bunch, as_corpus
from skmerc.datasets.formats._annotations import (
    find_parts,
    known_names,
    read_annotations,
    seconds,
    sort_turns,
    whole_numbers,
)
from skmerc.datasets.formats._border import reader
from skmerc.datasets.formats._members import read_members
from skmerc.datasets.formats._transcripts import (
    as_frame,
    check_members,
    features_of,
    name_codes,
    places_of,
)

# Classes in COSMIC's order, with their utterances in the whole corpus.
EMOTIONS = {
    "Joyful": 2099,
    "Mad": 968,
    "Peaceful": 831,
    "Neutral": 3095,
    "Sad": 595,
    "Powerful": 717,
    "Scared": 1184,
}
_LAYOUTS = [
    "speakers labels sentences train test dev",
    "speakers labels text text2 text3 text4 sentences train test dev",
]
_LONGEST = 10_000
"""Characters of a list of names; Python may crash where one of many is nested."""
_FILES = "emorynlp_{}_final.csv"
_NUMBERS = ["Season", "Episode", "Scene_ID", "Utterance_ID"]
_COLUMNS = ["Utterance", "Speaker", "Emotion", "Start_Time", "End_Time", *_NUMBERS]

LICENCE = (
    "Annotations: Apache-2.0 (github.com/emorynlp/emotion-detection). The words are "
    "those of a television series."
)
DESCRIPTION = """\
EmoryNLP emotion detection (Zahiri and Choi, 2018): 9,489 utterances of 827 scenes from
the television series Friends, with seven emotions, in the form that MELD's authors
published beside their corpus (github.com/declare-lab/MELD). The original has more
utterances.

            train    dev   test
scenes        659     89     79
utterances   7551    954    984

Joyful 2099, Mad 968, Peaceful 831, Neutral 3095, Sad 595, Powerful 717, Scared 1184.

What to know:
- Dialogues are scenes, called <part>_<season>_<episode>_<scene>. Turns are the official
  numbers of utterances, which start with 1 and have gaps.
- Times overlap and leap within scenes: look before you cut clips by them.
- In pickles speakers are numbered in each scene anew.

The official parts are in `split`. To learn from train and stop early by dev, read both
and mark dev: X = skmerc.frame.mark_validation(X, dialogues=...) with the ids of the
rows where split is "dev". Test is for the last score.
"""


@validate_params(
    {
        "path": [str, Path],
        "modalities": [str, "array-like", None],
        "split": [str, "array-like", None],
        "members": ["array-like", None],
        "class_names": ["array-like", None],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
@reader
def load_emorynlp(
    path,
    *,
    modalities=None,
    split=None,
    members=None,
    class_names=None,
    return_X_y=False,
):
    r"""Read EmoryNLP from its annotation files or from a pickle.

    Parameters
    ----------
    path : str or Path
        The folder of ``emorynlp_train_final.csv``, ``emorynlp_dev_final.csv`` and
        ``emorynlp_test_final.csv``, or of some of them, or one of them; or a pickle
        of COSMIC with 6 members (text) or 10 (RoBERTa's features as well).
    modalities : str or list of str, default=None
        The modalities to read, in the order wanted; all that the pickle has by
        default. The four layers of RoBERTa are called ``text``, ``text2``,
        ``text3`` and ``text4``.
    split : str or list of str, default=None
        The official parts to read, of ``"train"``, ``"dev"`` and ``"test"``; all
        by default.
    members : list of str, default=None
        What the members of the pickle are, if their order is none of those known:
        ``speakers``, ``labels``, ``sentences``, ``train``, ``dev``, ``test``, any
        other name for a modality, ``_`` to ignore one.
    class_names : list of str, default=None
        The emotions in the order of their codes in the pickle. By default they are
        known by their numbers of utterances, which takes the whole corpus.
    return_X_y : bool, default=False
        Whether to return `data` and `target` alone.

    Returns
    -------
    data : Bunch
        With the attributes

        data : DataFrame of shape (n_utterances, n_columns)
            Keyed table, see :func:`skmerc.frame.make_frame`; without features the
            keys and the column ``utterance``, what was said.
        target : ndarray of str of shape (n_utterances,)
            The emotions.
        feature_names, target_names : list of str
            The columns that are no keys; the classes in COSMIC's order.
        split : ndarray of str of shape (n_utterances,)
            The official part of each row.
        metadata : DataFrame of shape (n_utterances, n_columns)
            Utterance, season, episode, start and end in the episode (in seconds)
            and the name of the clip (``utterance_id``); of a pickle only the
            utterance.
        DESCR, licence : str
            What the corpus is, and on what terms.

    (X, y) : tuple
        Only with ``return_X_y=True``: `data` and `target`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is damaged, of another kind or changed by a spreadsheet, if its
        codes cannot be told, or if a modality or part is unknown.

    Warns
    -----
    TextEncodingWarning
        If texts were bytes, or held control characters that Windows-1252 has quotation
        marks and dashes for, with their number: they were decoded and mended.

    See Also
    --------
    load_meld : The same series with sound and pictures.

    Notes
    -----
    COSMIC's order of the codes is Joyful, Mad, Peaceful, Neutral, Sad, Powerful,
    Scared. Times of another form than ``HH:MM:SS.mmm`` are NaN. An utterance of
    several persons is theirs together: ``"Monica Geller and Ross Geller"``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_emorynlp
    >>> lines = [
    ...     "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,"
    ...     "Start_Time,End_Time",
    ...     "Tea.,['Ann Lee'],Neutral,4,1,1,15,00:00:03.795,00:00:05.004",
    ...     "Thank you!,['Bob'],Joyful,4,2,1,15,00:00:05.171,00:00:07.423",
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "emorynlp_dev_final.csv")
    ...     _ = file.write_text("\n".join(lines))
    ...     X, y = load_emorynlp(folder, return_X_y=True)
    >>> X[["dialogue__id", "dialogue__speaker", "utterance"]]
      dialogue__id dialogue__speaker   utterance
    0   dev_1_15_4           Ann Lee        Tea.
    1   dev_1_15_4               Bob  Thank you!
    >>> y
    array(['Neutral', 'Joyful'], dtype='<U7')
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_dir() or path.suffix.lower() == ".csv":
        files = find_parts(path, _FILES)
        frames = [_read_part(file, part) for part, file in files.items()]
        frame, blocks = pd.concat(frames, ignore_index=True), None
    else:
        frame, blocks = _read_pickle(path, members, class_names)
    return as_bunch(
        as_corpus(frame, {"emotion": list(EMOTIONS)}, blocks),
        path,
        label="emotion",
        modalities=modalities,
        split=split,
        return_X_y=return_X_y,
        description=DESCRIPTION,
        licence=LICENCE,
    )


def _read_part(path, part):
    table = read_annotations(path, _COLUMNS)
    season, episode, scene, utterance = (
        whole_numbers(path, table, column) for column in _NUMBERS
    )
    scenes = list(zip(season, episode, scene, utterance, strict=True))
    frame = pd.DataFrame(
        {
            "dialogue": [f"{part}_{s}_{e}_{c}" for s, e, c, _ in scenes],
            "turn": utterance,
            "speaker": _speakers(path, table["Speaker"]),
            "split": part,
            "emotion": known_names(path, table, "Emotion", list(EMOTIONS)),
            TEXT: table["Utterance"],
            "season": season,
            "episode": episode,
            "start": seconds(table["Start_Time"]),
            "end": seconds(table["End_Time"]),
            "utterance_id": [f"sea{s}_ep{e}_sc{c}_utt{u}" for s, e, c, u in scenes],
        }
    )
    frame = sort_turns(path, frame)
    # Official numbers leave out about every fifth turn: what is no speech.
    return frame.assign(turn=frame.groupby("dialogue", sort=False).cumcount())


def _speakers(path, column):
    speakers = [_names(text) for text in column]
    if None in speakers:
        row = speakers.index(None)
        raise ValueError(
            f"{path}: 'Speaker' is {column[row]!r} in row {row}, which is no list of "
            "names such as ['Ross Geller']."
        )
    return speakers


def _names(text):
    """Read a list such as "['Ross Geller']"; None if it is none."""
    if len(text) > _LONGEST:
        return None
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    given = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return " and ".join(names) if given else None


def _read_pickle(path, members, class_names):
    named = read_members(path, _LAYOUTS, members)
    check_members(path, named)
    frame = as_frame(named, places_of(path, named))
    frame["emotion"] = name_codes(path, named, "labels", EMOTIONS, class_names)
    return frame, features_of(path, named)
