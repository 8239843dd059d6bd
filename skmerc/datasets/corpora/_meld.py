"""MELD: friends and their emotions, in annotation files and feature files."""

from pathlib import Path

import pandas as pd

from skmerc._utils.compat import StrOptions, validate_params
from skmerc.datasets._corpus import TEXT, as_bunch, as_corpus
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
from skmerc.datasets.formats._border import reader
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

LICENCE = (
    "Annotations: GPL-3.0 (github.com/declare-lab/MELD). The clips are from a "
    "television series, and most feature files come without a licence."
)
DESCRIPTION = """\
MELD, the Multimodal EmotionLines Dataset (Poria et al., ACL 2019): 13,708 utterances
of 1,432 dialogues from the television series Friends, with seven emotions and three
sentiments, from github.com/declare-lab/MELD.

            train    dev   test
dialogues    1038    114    280
utterances   9989   1109   2610
neutral      4710    470   1256
surprise     1205    150    281
fear          268     40     50
sadness       683    111    208
joy          1743    163    402
disgust       271     22     68
anger        1109    153    345

What to know:
- Dialogue numbers restart in each part, so ids are called after it: train_dia0,
  dev_dia0, test_dia0. There is no train_dia60.
- Turns are the official numbers of utterances, which the clips are called after; some
  are left out in 72, 2 and 2 dialogues. Feature files do not know them: read without
  the annotations, turns count from 0, speakers are numbered in each dialogue anew, and
  season, episode and times are unknown.
- Three end times are damaged (NaN). By their times two utterances of test last five
  minutes (test_dia38_utt4, test_dia220_utt0) and one no time at all.
- Dyadic files hold overlapping dialogues of two speakers: rows repeat.

The official parts are in `split`. To learn from train and stop early by dev, read both
and mark dev: X = skmerc.frame.mark_validation(X, dialogues=...) with the ids of the
rows where split is "dev". Test is for the last score.
"""


@validate_params(
    {
        "path": [str, Path],
        "features": [str, Path, None],
        "modalities": [str, "array-like", None],
        "label": [StrOptions(set(CLASS_NAMES))],
        "split": [str, "array-like", None],
        "members": ["array-like", None],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
@reader
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
    modalities : str or list of str, default=None
        The modalities to read of the feature file, in the order wanted; all by
        default.
    label : {"emotion", "sentiment"}, default="emotion"
        What `target` holds.
    split : str or list of str, default=None
        The official parts to read, of ``"train"``, ``"dev"`` and ``"test"``; all
        by default.
    members : list of str, default=None
        What the members of the feature file are, if their order is none of those
        known: ``speakers``, ``labels``, ``sentiments``, ``sentences``, ``train``,
        ``dev``, ``test``, any other name for a modality, ``_`` to ignore one.
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
            The labels.
        feature_names, target_names : list of str
            The columns that are no keys; the classes in the community's order.
        split : ndarray of str of shape (n_utterances,)
            The official part of each row.
        metadata : DataFrame of shape (n_utterances, n_columns)
            Utterance, season, episode, start and end in the episode (in seconds)
            and the name of the clip (``utterance_id``); of a feature file read
            alone only the utterance.
        DESCR, licence : str
            What the corpus is, and on what terms.

    (X, y) : tuple
        Only with ``return_X_y=True``: `data` and `target`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is damaged, of another kind or changed by a spreadsheet, if
        annotations and features disagree, or if a modality, label or part is
        unknown.

    Warns
    -----
    TextEncodingWarning
        If texts were bytes, or held control characters that Windows-1252 has quotation
        marks and dashes for, with their number: they were decoded and mended.

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
    ``text3`` and ``text4``.

    A folder with no official file but ``train_sent_emo_dya.csv`` and so on is read as
    the dyadic version, whose dialogues are called ``train_dya0``; their clips keep
    their official names.

    Times of another form than ``HH:MM:SS,mmm`` are NaN.

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
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
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
    return as_bunch(
        corpus,
        path,
        label=label,
        modalities=modalities,
        split=split,
        return_X_y=return_X_y,
        description=DESCRIPTION,
        licence=LICENCE,
    )


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
