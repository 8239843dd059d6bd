"""What a corpus holds, and how it becomes X and y."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skmerc.datasets._texts import clean_texts
from skmerc.frame import make_frame
from skmerc.frame._columns import make_keys

PARTS = ("train", "dev", "test")
TEXT = "utterance"


@dataclass(frozen=True)
class Corpus:
    """Utterances of a corpus, dialogue after dialogue, in the order of turns.

    Parameters
    ----------
    dialogue, turn, speaker, split : array-like of shape (n_utterances,)
        The keys, and the official part: one of `PARTS`, or empty.
    labels : dict of str to array of shape (n_utterances,) or (n_utterances, n)
        The kinds of labels: text, scores, or an indicator matrix.
    blocks : dict of str to array of shape (n_utterances, n_features)
        Features of each modality; NaN throughout a row where it is missing.
    metadata : DataFrame of shape (n_utterances, n_columns)
        What else is known, the column "utterance" (what was said) first.
    class_names : dict of str to list of str
        Names behind the labels, in the community's order.
    role : array-like of shape (n_utterances,)
        What each row is for, see `skmerc.frame.ROLES`; None: "utterance".
    """

    dialogue: np.ndarray
    turn: np.ndarray
    speaker: np.ndarray
    split: np.ndarray
    labels: dict
    blocks: dict = field(default_factory=dict)
    metadata: pd.DataFrame = None
    class_names: dict = field(default_factory=dict)
    role: np.ndarray = None


def as_bunch(
    corpus, path, *, label, modalities, split, return_X_y, description, licence
):
    """Choose label, modalities and parts; return a Bunch, or X and y.

    X has the modalities; where there are none, what was said stands in the column
    "utterance", for a ``ColumnTransformer`` to make features of.
    """
    corpus = _with_clean_texts(corpus, path)
    if label not in corpus.labels:
        raise ValueError(
            f"label={label!r}: {path} has no such labels; it holds "
            f"{', '.join(corpus.labels) or 'none'}, of which to name one."
        )
    rows = _rows(corpus, path, split)
    X = _table(corpus, path, modalities).loc[rows].reset_index(drop=True)
    y = np.asarray(corpus.labels[label])[rows]
    if return_X_y:
        return X, y
    metadata = corpus.metadata if corpus.metadata is not None else pd.DataFrame()
    return Bunch(
        data=X,
        target=y,
        feature_names=list(X.columns[4:]),
        target_names=list(corpus.class_names.get(label, [])),
        split=np.asarray(corpus.split)[rows],
        metadata=metadata.loc[rows].reset_index(drop=True) if len(metadata) else None,
        DESCR=description,
        licence=licence,
    )


def _with_clean_texts(corpus, path):
    def place_of(row):
        turn, dialogue = corpus.turn[row], corpus.dialogue[row]
        return f"{path}: what was said in turn {turn} of dialogue {dialogue!r}"

    names = clean_texts(corpus.speaker, f"{path}, speakers", place_of)
    corpus = replace(corpus, speaker=np.array(names, dtype=object))
    metadata = corpus.metadata
    if metadata is None or TEXT not in metadata:
        return corpus
    texts = clean_texts(metadata[TEXT], path, place_of)
    return replace(corpus, metadata=metadata.assign(**{TEXT: texts}))


def _table(corpus, path, modalities):
    keys = {
        key: getattr(corpus, key) for key in ("dialogue", "turn", "speaker", "role")
    }
    names = _named(modalities, corpus.blocks, f"modalities={modalities!r}", path)
    if names:
        return make_frame({name: corpus.blocks[name] for name in names}, **keys)
    table = make_keys(len(corpus.dialogue), **keys)
    return table.assign(**{TEXT: corpus.metadata[TEXT].to_numpy()})


def _rows(corpus, path, split):
    parts = [part for part in PARTS if part in set(corpus.split)]
    wanted = _named(split, parts, f"split={split!r}", path)
    if split is None:
        return np.arange(len(corpus.split))
    return np.flatnonzero(np.isin(corpus.split, wanted))


def _named(given, known, what, path):
    """Names that were asked for, all by default, and none that is not there."""
    if given is None:
        return list(known)
    names = [given] if isinstance(given, str) else list(given)
    unknown = [name for name in names if name not in known]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(
            f"{what}: give different names among {', '.join(known) or 'none'}, which "
            f"is what {path} holds."
        )
    return names


def as_corpus(frame, class_names, blocks=None):
    """Make a corpus of a frame: keys, labels, and metadata, which is all the rest."""
    keys = ["dialogue", "turn", "speaker", "split"]
    return Corpus(
        **{key: frame[key].to_numpy() for key in keys},
        labels={name: frame[name].to_numpy(dtype=str) for name in class_names},
        blocks=blocks or {},
        metadata=frame.drop(columns=[*keys, *class_names]),
        class_names=class_names,
    )
