"""DailyDialog: everyday conversations of two, with emotions and acts, in writing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from skmerc._utils.compat import StrOptions
from skmerc._utils.types import FilePath
from skmerc.datasets._corpus import TEXT, as_corpus
from skmerc.datasets.corpora._loading import as_bunch, loader, refuse_absent
from skmerc.datasets.formats._files import check_file
from skmerc.datasets.formats._members import (
    features_of,
    name_codes,
    read_transcripts,
)

# Classes in the order of the release, with their utterances in the whole corpus. The
# release counts emotions from 0 and acts from 1.
CLASSES = {
    "emotion": {
        "no emotion": 85572,
        "anger": 1022,
        "disgust": 353,
        "fear": 174,
        "happiness": 12885,
        "sadness": 1150,
        "surprise": 1823,
    },
    "act": {"inform": 46532, "question": 29428, "directive": 17295, "commissive": 9724},
}
_FIRST_CODE = {"emotion": 0, "act": 1}
_MEMBERS = {"emotion": "labels", "act": "acts"}
_FOLDERS = {"train": "train", "dev": "validation", "test": "test"}
_END = "__eou__"
_LAYOUTS = [
    # COSMIC, without and with features
    "speakers labels sentences train test dev",
    "speakers labels text text2 text3 text4 sentences train test dev",
    # bc-LSTM and DialogueGCN
    "speakers text acts labels train test dev",
    "speakers tokens _ acts labels train test dev",
]


@loader(label=[StrOptions(set(CLASSES))])
def load_dailydialog(
    path: FilePath,
    *,
    modalities: str | Sequence[str] | None = None,
    label: Literal["emotion", "act"] = "emotion",
    split: str | Sequence[str] | None = None,
    members: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    return_X_y: bool = False,
) -> Any:
    r"""Read DailyDialog from its release or from a pickle.

    Parameters
    ----------
    path : str or Path
        The folder of the release, in which ``train``, ``validation`` and ``test``,
        or some of them, hold ``dialogues_train.txt``,
        ``dialogues_emotion_train.txt``, ``dialogues_act_train.txt`` and so on; or a
        pickle, see Notes.
    %(choices)s
    label : {"emotion", "act"}, default="emotion"
        What `target` holds: the emotion or the dialogue act.
    %(parts)s
    %(members)s
    class_names : list of str, default=None
        The classes in the order of their codes in the pickle, which differs between
        pickles. By default they are known by their numbers of utterances, which
        takes the whole corpus.
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
    load_emorynlp : Conversations of more than two, from a television series.

    Notes
    -----
    Pickles are lists of 6 members (COSMIC's text), 10 (RoBERTa's features as well,
    called ``text``, ``text2``, ``text3`` and ``text4``), 7 (features and acts) or 8.
    The last ones hold numbers of words in a vocabulary of their own, called
    ``tokens``, which mean nothing to an estimator that takes them for measurements.
    The member of dialogue acts is called ``acts``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_dailydialog
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     part = Path(folder, "test")
    ...     part.mkdir()
    ...     said = "Good news ! __eou__ What is it ? __eou__\n"
    ...     _ = Path(part, "dialogues_test.txt").write_text(said)
    ...     _ = Path(part, "dialogues_emotion_test.txt").write_text("4 0 \n")
    ...     X, y = load_dailydialog(folder, return_X_y=True)
    >>> X[["dialogue__id", "dialogue__speaker", "utterance"]]
      dialogue__id dialogue__speaker     utterance
    0    test_dia0          speaker0   Good news !
    1    test_dia0          speaker1  What is it ?
    >>> y
    array(['happiness', 'no emotion'], dtype='<U10')
    """
    refuse_absent(path)
    if Path(path).is_dir():
        frame, blocks = _read_release(path, label), None
    else:
        frame, blocks = _read_pickle(path, label, members, class_names)
    corpus = as_corpus(frame, {label: list(CLASSES[label])}, blocks)
    return as_bunch("dailydialog", corpus, path, label, modalities, split, return_X_y)


def _read_release(folder, label):
    parts = [
        part for part, name in _FOLDERS.items() if _text_file(folder, name).exists()
    ]
    if not parts:
        raise FileNotFoundError(
            f"{folder} has none of the files "
            + ", ".join(f"{name}/dialogues_{name}.txt" for name in _FOLDERS.values())
            + "."
        )
    return pd.concat(
        [_read_part(folder, part, label) for part in parts], ignore_index=True
    )


def _text_file(folder, name):
    return folder / name / f"dialogues_{name}.txt"


def _read_part(folder, part, label):
    texts = _text_file(folder, _FOLDERS[part])
    codes = texts.with_name(f"dialogues_{label}_{_FOLDERS[part]}.txt")
    said = [_utterances(texts, at, line) for at, line in enumerate(_lines(texts), 1)]
    told = [line.split() for line in _lines(codes)]
    _check_lengths(texts, codes, said, told)
    turns = np.concatenate([np.arange(len(utterances)) for utterances in said])
    return pd.DataFrame(
        {
            "dialogue": np.repeat(
                [f"{part}_dia{number}" for number in range(len(said))],
                [len(utterances) for utterances in said],
            ),
            "turn": turns,
            "speaker": np.where(turns % 2, "speaker1", "speaker0"),
            "split": part,
            label: _labels(codes, told, label),
            TEXT: [utterance for utterances in said for utterance in utterances],
        }
    )


def _lines(path):
    check_file(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}.") from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise ValueError(f"{path} has no lines.")
    return lines


def _utterances(path, number, line):
    *utterances, rest = line.split(_END)
    if rest.strip() or not utterances:
        raise ValueError(
            f"{path}: line {number} does not end with {_END}; the file is truncated or "
            "of another kind."
        )
    return [utterance.strip() for utterance in utterances]


def _check_lengths(texts, codes, said, told):
    if len(said) != len(told):
        raise ValueError(
            f"{texts} has {len(said)} dialogues, {codes.name} has {len(told)}."
        )
    for number, (utterances, labels) in enumerate(zip(said, told, strict=True), 1):
        if len(utterances) != len(labels):
            raise ValueError(
                f"{texts} has {len(utterances)} utterances in line {number}, "
                f"{codes.name} has {len(labels)} labels."
            )


def _labels(path, told, label):
    first = _FIRST_CODE[label]
    names = {str(code): name for code, name in enumerate(CLASSES[label], first)}
    for number, labels in enumerate(told, 1):
        unknown = [code for code in labels if code not in names]
        if unknown:
            raise ValueError(
                f"{path} has the label {unknown[0]!r} in line {number}; known are "
                f"{', '.join(names)}."
            )
    return [names[code] for labels in told for code in labels]


def _read_pickle(path, label, members, class_names):
    named, frame = read_transcripts(path, _LAYOUTS, members)
    codes = _MEMBERS[label]
    if codes not in named:
        raise ValueError(f"label={label!r}: {path} has no member {codes!r}.")
    frame["speaker"] = frame["speaker"].replace({"0": "speaker0", "1": "speaker1"})
    frame[label] = name_codes(path, named, codes, CLASSES[label], class_names)
    return frame, features_of(path, named)
