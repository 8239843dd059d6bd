"""EmoryNLP: friends and their emotions, in writing."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from skmerc._utils.types import FilePath
from skmerc.datasets._corpus import TEXT, as_corpus
from skmerc.datasets.corpora._loading import as_bunch, loader, refuse_absent
from skmerc.datasets.formats._annotations import (
    find_parts,
    known_names,
    read_annotations,
    seconds,
    sort_turns,
    whole_numbers,
)
from skmerc.datasets.formats._members import (
    features_of,
    name_codes,
    read_transcripts,
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


@loader()
def load_emorynlp(
    path: FilePath,
    *,
    modalities: str | Sequence[str] | None = None,
    split: str | Sequence[str] | None = None,
    members: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    return_X_y: bool = False,
) -> Any:
    r"""Read EmoryNLP from its annotation files or from a pickle.

    Parameters
    ----------
    path : str or Path
        The folder of ``emorynlp_train_final.csv``, ``emorynlp_dev_final.csv`` and
        ``emorynlp_test_final.csv``, or of some of them, or one of them; or a pickle
        of COSMIC with 6 members (text) or 10 (RoBERTa's features as well).
    %(choices)s
        The four layers of RoBERTa are called ``text``, ``text2``, ``text3`` and
        ``text4``.
    %(parts)s
    %(members)s
    class_names : list of str, default=None
        The emotions in the order of their codes in the pickle. By default they are
        known by their numbers of utterances, which takes the whole corpus.
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

    See Also
    --------
    load_meld : The same series with sound and pictures.

    Notes
    -----
    COSMIC's order of the codes is Joyful, Mad, Peaceful, Neutral, Sad, Powerful,
    Scared. Times of another form than ``HH:MM:SS.mmm`` are NaN. An utterance of
    several persons is theirs together: ``"Monica Geller and Ross Geller"``.

    `metadata` of the annotation files has the utterance, season, episode, start and end
    in the episode (in seconds) and the name of the clip (``utterance_id``).

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
    refuse_absent(path)
    if path.is_dir() or path.suffix.lower() == ".csv":
        files = find_parts(path, _FILES)
        frames = [_read_part(file, part) for part, file in files.items()]
        frame, blocks = pd.concat(frames, ignore_index=True), None
    else:
        frame, blocks = _read_pickle(path, members, class_names)
    corpus = as_corpus(frame, {"emotion": list(EMOTIONS)}, blocks)
    return as_bunch("emorynlp", corpus, path, "emotion", modalities, split, return_X_y)


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
    named, frame = read_transcripts(path, _LAYOUTS, members)
    frame["emotion"] = name_codes(path, named, "labels", EMOTIONS, class_names)
    return frame, features_of(path, named)
