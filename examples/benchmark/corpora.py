"""Tables to measure on: files of the package's form, and corpora as users hold them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from skmerc import datasets
from skmerc.frame import drop_keys, make_frame, read_keys

READERS = {
    name: getattr(datasets, f"load_{name}")
    for name in ("dailydialog", "emorynlp", "iemocap", "meld", "mosei", "mosi")
}
FEATURES = ("text", "audio", "visual")
"""What is read of an .npz file by default; others may be ratings by people."""
WORDS = "utterance"
COMMON = {
    **dict.fromkeys(("hap", "happy", "happiness", "joyful", "exc", "excited"), "joy"),
    **dict.fromkeys(("sad",), "sadness"),
    **dict.fromkeys(("neu", "no emotion"), "neutral"),
    **dict.fromkeys(("ang", "mad"), "anger"),
    **dict.fromkeys(("fru", "frustrated"), "frustration"),
    **dict.fromkeys(("scared",), "fear"),
}
"""Names of emotions that corpora share; *excited* counts as joy, as among IEMOCAP's
four emotions."""


@dataclass(frozen=True)
class Table:
    """Utterances of a corpus: keys and features, labels, and the official parts.

    `embedder` are parameters for the embedders of its words, where it keeps them.
    """

    name: str
    X: pd.DataFrame
    y: np.ndarray
    split: np.ndarray
    embedder: dict = field(default_factory=dict)

    @property
    def modalities(self):
        """The names of its blocks of features, in order."""
        names = dict.fromkeys(c.split("__")[0] for c in drop_keys(self.X))
        return [name for name in names if name != WORDS]

    def replace(self, **changes):
        """Return a table of which something differs."""
        return Table(**(vars(self) | changes))


def read(
    data,
    *,
    modalities=None,
    label=None,
    features=None,
    sentences=None,
    embed=None,
    cache=None,
    words=False,
):
    """Read a table, ``file.npz``, or a corpus, ``meld:folder``.

    Words without features are embedded, or kept where `words` are wanted; those of a
    table stand in a CSV file of their own, `sentences`. ``conversations:calls.jsonl``
    is for :func:`skmerc.datasets.to_frame`.
    """
    kind, _, path = data.partition(":")
    chosen = {"label": label, "features": features, "modalities": modalities}
    chosen = {name: value for name, value in chosen.items() if value}
    if kind in READERS and path:
        corpus = READERS[kind](path, **chosen)
        X, y, split, name = corpus.data, corpus.target, corpus.split, kind
    elif kind == "conversations" and path:
        X, y = datasets.to_frame(path)
        split, name = np.full(len(X), ""), Path(path).name.split(".")[0]
    else:
        chosen.setdefault("modalities", features_in(data))
        X, y, split = datasets.load_table(data, **chosen, return_split=True)
        name = Path(data).name.split(".")[0]
    if sentences:
        X = X.assign(**{WORDS: sentences_of(X, sentences)})
    if words:
        X = with_words(X, data)
    elif WORDS in X:
        X = embedded(X, embed, cache)
    y = np.asarray(y)
    name += f".{label}" * (label not in (None, "label", "score"))
    name += f"@{Path(embed).name}" if embed else ""
    y = y if y.dtype.kind == "f" else y.astype(str)
    return Table(name, X, y, split, embedder_of(embed, cache))


def features_in(path):
    """Names of the features in an .npz file; None, which is all, of other files."""
    if not str(path).endswith(".npz"):
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return [name for name in FEATURES if name in arrays.files]


def sentences_of(X, path):
    """Find what was said by dialogue and turn."""
    # "None" is something to say.
    said = pd.read_csv(path, keep_default_na=False, dtype={"dialogue": str})
    column = next(n for n in ("sentence", "utterance", "text") if n in said)
    said = said.set_index(["dialogue", "turn"])[column]
    keys = read_keys(X)
    rows = pd.MultiIndex.from_arrays(
        [keys["dialogue__id"].astype(str), keys["dialogue__turn"]]
    )
    return said.loc[rows].to_numpy()


def with_words(X, data):
    """Keep words in the place of embeddings of them."""
    if WORDS not in X:
        raise SystemExit(f"{data} holds no words; name a CSV file of --sentences.")
    return X[[column for column in X if not column.startswith("text__")]]


def embedder_of(model, cache):
    """Return parameters of embedders."""
    return {"cache": cache} | ({"model": model} if model else {})


def embedded(X, model=None, cache=None):
    """Put embeddings of what was said in the place of the words."""
    from skmerc.features import TextEmbedder  # an extra

    embedder = TextEmbedder(**embedder_of(model, cache))
    vectors = np.asarray(embedder.fit_transform(X[WORDS]))
    return make_frame({"text": vectors}, **keys_of(X))


def keys_of(X):
    """Return the keys of a table as :func:`skmerc.frame.make_frame` takes them."""
    keys = read_keys(X)
    return {
        "dialogue": keys["dialogue__id"],
        "turn": keys["dialogue__turn"],
        "speaker": keys["dialogue__speaker"],
        "role": keys["dialogue__role"],
    }


def with_common_names(table):
    """Give emotions the names that corpora share."""
    return table.replace(y=pd.Series(table.y).replace(COMMON).to_numpy(dtype=str))


def with_labels(table, kept):
    """Keep some labels; the utterances of others are the context of these."""
    other = ~np.isin(table.y, kept)
    role = table.X["dialogue__role"].mask(other, "context")
    y = np.where(other, sorted(kept)[0], table.y)
    return table.replace(X=table.X.assign(dialogue__role=role), y=y)


def labels_of(table):
    """Return the labels that rows other than context have."""
    return set(table.y[(table.X["dialogue__role"] != "context").to_numpy()])


def with_shared_features(tables):
    """Keep the modalities that all tables have, in the same width."""
    first, *others = tables
    shared = {"dialogue"} | {
        name
        for name in first.modalities
        if all(_width(table, name) == _width(first, name) for table in others)
    }
    if len(shared) == 1:
        names = ", ".join(table.name for table in tables)
        raise SystemExit(f"{names} share no modality of the same width.")
    columns = [c for c in first.X if all(c in table.X for table in others)]
    kept = [column for column in columns if column.split("__")[0] in shared]
    return [table.replace(X=table.X[kept]) for table in tables]


def _width(table, modality):
    return sum(column.startswith(f"{modality}__") for column in table.X)
