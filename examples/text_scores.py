"""From MELD's own text to scores: words or embeddings, alone or in their dialogue.

    python examples/text_scores.py --data MELD --minority fear disgust --seeds 3

MELD is a folder with the annotations ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and
``test_sent_emo.csv``; :func:`skmerc.datasets.fetch_meld_annotations` downloads them.
Embeddings are made by :class:`skmerc.features.TextEmbedder` within each pipeline, and
kept in a folder, so that each text is embedded once; the time for that is printed
first. ``--model`` is the name or the folder of a sentence model. Everything else is as
in ``results_table.py``, whose options it takes.
"""

import time
from functools import partial
from tempfile import TemporaryDirectory

import numpy as np
from bigru import GRUClassifier, features
from imblearn.pipeline import make_pipeline
from results_table import (
    FLOOR,
    cberl,
    divide,
    fuser,
    gan,
    joyful,
    logistic,
    parse,
    print_table,
)
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_union
from sklearn.preprocessing import FunctionTransformer

from skmerc.datasets import load_meld
from skmerc.features import TextEmbedder

LOCAL = "sentence-transformers/all-MiniLM-L6-v2"


def said(X, reach=0):
    """Take what was said, or what was said so many utterances before and after."""
    texts = X.sort_values(["dialogue__id", "dialogue__turn"])["utterance"]
    if not reach:
        return texts.loc[X.index].to_list()
    dialogue = X["dialogue__id"].loc[texts.index]
    shifts = [shift for shift in range(-reach, reach + 1) if shift]
    near = [texts.groupby(dialogue).shift(s, fill_value="") for s in shifts]
    return near[0].str.cat(near[1:], sep=" ").loc[X.index].to_list()


def words(*reaches):
    """Logistic regression on words, own ones and those of neighbours apart."""
    # Marks count: without them the score falls by nine points. C is that of 1, 3 and
    # 10 which does best on the validation dialogues.
    count = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), min_df=2, token_pattern=r"\w+|[!?.]+"
    )
    counts = [
        make_pipeline(FunctionTransformer(said, kw_args={"reach": r}), clone(count))
        for r in reaches
    ]
    return make_pipeline(make_union(*counts), LogisticRegression(C=3, max_iter=2000))


def embedded(embedder, *steps):
    """Put embeddings of the text before other steps; keys pass through."""
    columns = ColumnTransformer(
        [("text", embedder, "utterance")], remainder="passthrough"
    ).set_output(transform="pandas")
    return make_pipeline(columns, *steps)


def models(embedder=None):
    """Return what is compared: functions of the seed."""
    put = partial(embedded, embedder)
    return {
        "most frequent": lambda seed: make_pipeline(
            FunctionTransformer(said), DummyClassifier()
        ),
        "TF-IDF, logistic regression": lambda seed: words(0),
        "TF-IDF with ±5 neighbours, logistic regression": lambda seed: words(0, 5),
        "embedding, logistic regression": lambda seed: put(logistic(features)),
        FLOOR: lambda seed: put(GRUClassifier(random_state=seed)),
        "classifier": lambda seed: put(cberl(seed)),
        "CBERL, three steps": lambda seed: put(gan(seed), fuser(seed), cberl(seed)),
        "JOYFUL": lambda seed: put(joyful(seed)),
    }


def read(folder):
    """Read the official parts; dev becomes validation."""
    corpus = load_meld(folder)
    X, part = corpus.data, corpus.split
    held_out = X["dialogue__id"][part == "dev"].unique()
    test = np.flatnonzero(part == "test")
    return divide(X, corpus.target, test, dialogues=held_out)


if __name__ == "__main__":
    known = models()
    arguments = parse(__doc__.splitlines()[0], known, model=LOCAL)
    with TemporaryDirectory() as cache:
        embedder = TextEmbedder(arguments.model, cache=cache)
        parts = read(arguments.data)
        start = time.perf_counter()
        for X in (parts[0], parts[2]):
            embedder.fit_transform(X["utterance"])
        print(f"Embedding: {time.perf_counter() - start:.0f} s\n")
        fixed = [name for name in known if "logistic" in name or "frequent" in name]
        print_table(models(embedder), [parts], arguments, floor=FLOOR, fixed=fixed)
