"""MELD: friends and their emotions, in annotation files and feature files."""

from pathlib import Path

import pandas as pd
from sklearn.utils._param_validation import StrOptions

from skmerc.datasets._corpus import TEXT, as_corpus
from skmerc.datasets.corpora._loading import as_bunch, loader, refuse_absent
from skmerc.datasets.corpora._meld_features import (
    CLASS_NAMES,
    join_features,
    read_features,
)
from skmerc.datasets.formats._annotations import (
    find_parts,
    known_names,
    read_annotations,
    seconds,
    sort_turns,
    whole_numbers,
)
from skmerc.datasets.formats._members import SPEAKERS_FILE

_OFFICIAL, _DYADIC = "{}_sent_emo.csv", "{}_sent_emo_dya.csv"
_COLUMNS = [
    "Utterance",
    "Speaker",
    "Emotion",
    "Sentiment",
    "Dialogue_ID",
    "Utterance_ID",
    "Season",
    "Episode",
    "StartTime",
    "EndTime",
]
_OLD = "Old_Dialogue_ID", "Old_Utterance_ID"


@loader(features=[str, Path, None], label=[StrOptions(set(CLASS_NAMES))])
def load_meld(
    path,
    *,
    features=None,
    modalities=None,
    label="emotion",
    split=None,
    members=None,
    return_X_y=False,
):
    r"""Read MELD from its annotation files, from a feature file, or from both.

    Parameters
    ----------
    path : str or Path
        The folder of ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and
        ``test_sent_emo.csv``, or of some of them, or one of them; or a feature
        file, see Notes.
    features : str or Path, default=None
        A feature file, to be joined to annotations by dialogue and place in the
        dialogue. Dialogues that it lacks have no features (NaN), with a warning.
    %(choices)s
    label : {"emotion", "sentiment"}, default="emotion"
        What `target` holds.
    %(parts)s
    %(members)s
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
        If a feature file lacks annotated dialogues.

    See Also
    --------
    load_table : Read conversations of your own.
    skmerc.frame.mark_validation : Hold the official dev part out for early stopping.

    Notes
    -----
    Feature files are pickled lists of 7 (COSMIC), 9 (DialogueRNN), 10 (MMGCN, M3NET,
    JOYFUL), 11 (COSMIC with RoBERTa), 12 or 13 (SDT) or 14 members (GraphSmile), or
    the folder of MultiEMO's four files. Nothing in them is executed. Their dialogues
    are numbered through all parts, and belong to the official part whatever the lists
    of the file say of dev. The four layers of RoBERTa are called ``text``, ``text2``,
    ``text3`` and ``text4``. The member of sentiments is called ``sentiments``.

    A folder with no official file but ``train_sent_emo_dya.csv`` and so on is read as
    the dyadic version, whose dialogues are called ``train_dya0``; their clips keep
    their official names.

    `metadata` of the annotations has the utterance, season, episode, start and end in
    the episode (in seconds, NaN where the time is not written as ``HH:MM:SS,mmm``) and
    the name of the clip (``utterance_id``).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_meld
    >>> lines = [
    ...     "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,"
    ...     "Season,Episode,StartTime,EndTime",
    ...     'Guess what!,Ann,joy,positive,0,0,1,2,"00:00:01,000","00:00:02,500"',
    ...     'What?,Bob,surprise,negative,0,1,1,2,"00:00:02,600","00:00:03,000"',
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "dev_sent_emo.csv").write_text("\n".join(lines))
    ...     meld = load_meld(folder)
    >>> meld.data[["dialogue__id", "dialogue__speaker", "utterance"]]
      dialogue__id dialogue__speaker    utterance
    0     dev_dia0               Ann  Guess what!
    1     dev_dia0               Bob        What?
    >>> meld.target
    array(['joy', 'surprise'], dtype='<U8')
    """
    refuse_absent(path)
    if _is_annotation(path):
        corpus = _read_annotations(path)
        if features is not None:
            features = Path(features)
            corpus = join_features(corpus, read_features(features, members), features)
    elif features is None:
        corpus = read_features(path, members)
    else:
        raise ValueError(
            f"{path} is a feature file already; give the folder of the annotations as "
            "path, and one feature file as features."
        )
    return as_bunch("meld", corpus, path, label, modalities, split, return_X_y)


def _is_annotation(path):
    if path.is_dir():
        annotated = any(path.glob(_OFFICIAL.format("*")))
        return annotated or not (path / SPEAKERS_FILE).is_file()
    return path.suffix.lower() == ".csv"


def _read_annotations(path):
    try:
        files = find_parts(path, _OFFICIAL)
    except FileNotFoundError:
        if not list(path.glob(_DYADIC.format("*"))):
            raise
        files = find_parts(path, _DYADIC)
    frames = [_read_part(file, part) for part, file in files.items()]
    return as_corpus(pd.concat(frames, ignore_index=True), CLASS_NAMES)


def _read_part(path, part):
    table = read_annotations(path, _COLUMNS)
    ids = _whole(path, table, "Dialogue_ID", "Utterance_ID")
    clips = _whole(path, table, *_OLD) if _OLD[0] in table else ids
    kind = "dya" if _OLD[0] in table else "dia"
    frame = pd.DataFrame(
        {
            "dialogue": [f"{part}_{kind}{number}" for number in ids[0]],
            "turn": ids[1],
            "speaker": table["Speaker"],
            "split": part,
            "emotion": known_names(path, table, "Emotion", CLASS_NAMES["emotion"]),
            "sentiment": known_names(
                path, table, "Sentiment", CLASS_NAMES["sentiment"]
            ),
            TEXT: table["Utterance"],
            "season": whole_numbers(path, table, "Season"),
            "episode": whole_numbers(path, table, "Episode"),
            "start": seconds(table["StartTime"]),
            "end": seconds(table["EndTime"]),
            "utterance_id": [
                f"{part}_dia{dialogue}_utt{utterance}"
                for dialogue, utterance in zip(*clips, strict=True)
            ],
        }
    )
    return sort_turns(path, frame)


def _whole(path, table, *columns):
    return [whole_numbers(path, table, column) for column in columns]
