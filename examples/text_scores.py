"""From what was said to scores: words, embeddings, and embeddings fitted to emotions.

    python examples/text_scores.py --data MELD --minority fear disgust --seeds 3

MELD is a folder with the annotations ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and
``test_sent_emo.csv``; :func:`skmerc.datasets.fetch_meld_annotations` downloads them.
Of another corpus, ``--data`` is a file for :func:`skmerc.datasets.load_table` with the
parts train, dev and test, ``--sentences`` a CSV file with the columns dialogue, turn
and sentence, and ``--modalities`` what of the table stands beside the text:

    python examples/text_scores.py --data iemocap6_ta.npz --modalities audio \\
        --sentences iemocap6_ta_sentences.csv.gz --minority hap exc --seeds 3

Embeddings are made within each pipeline, and kept in a folder, so that each text is
embedded once, and models are fine-tuned once for each seed, on the account of the first
row that needs them: ``--epochs`` passes of ``--cv`` models, each of which leaves out a
part of the dialogues, or of one model with ``--cv 0``. The time for embedding is
printed first. ``--model`` is the name or the folder of a sentence model.
``--context-past 4`` lets it read each utterance behind the four before it,
``--context-future`` those after it, and ``--speakers`` the names of who speaks. "Class
weights" are the square roots of the balanced ones. Everything else is as in
``results_table.py``.
"""

import time
from functools import partial
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from bigru import features
from imblearn import FunctionSampler
from imblearn.pipeline import make_pipeline
from results_table import (
    FLOOR,
    cberl,
    divide,
    five,
    fuser,
    gan,
    gru,
    joyful,
    logistic,
    parse,
    print_table,
)
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_union
from sklearn.preprocessing import FunctionTransformer

from skmerc.datasets import load_meld, load_table
from skmerc.features import FineTunedTextEmbedder, TextEmbedder
from skmerc.frame import KEYS, read_keys

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


class Models(dict):
    """What is compared: functions of the seed.

    Parameters
    ----------
    model : str
        The sentence model.
    cache : str
        Folder for embeddings, and for models that are fine-tuned.
    modalities : iterable of str
        What stands beside the text.
    class_weight : dict or None
        Weights for the rows that say so.
    context : dict or None
        Parameters of the embedders that say what is read beside each utterance.
    **tuning : object
        Parameters of fine-tuning.
    """

    def __init__(
        self,
        model=LOCAL,
        cache=None,
        modalities=(),
        class_weight=None,
        context=None,
        **tuning,
    ):
        self.model, self.cache, self.modalities = model, cache, modalities
        self.context, self.tuning = context or {}, tuning
        weighted = partial(joyful, class_weight=class_weight)
        frozen, tuned = self.behind_embedding, self.behind_fine_tuning
        super().__init__(
            {
                "most frequent": lambda seed: make_pipeline(
                    FunctionTransformer(said), DummyClassifier()
                ),
                "TF-IDF, logistic regression": lambda seed: words(0),
                "TF-IDF with ±5 neighbours, logistic regression": (
                    lambda seed: words(0, 5)
                ),
                "embedding, logistic regression": frozen(linear),
                FLOOR: frozen(gru),
                "classifier": frozen(cberl),
                "CBERL, three steps": frozen(gan, fuser, cberl),
                "JOYFUL": frozen(joyful),
                "fine-tuned, logistic regression": tuned(utterances, linear),
                "fine-tuned, Bi-GRU": tuned(gru),
                "fine-tuned, classifier": tuned(cberl),
                "fine-tuned, CBERL, three steps": tuned(gan, fuser, cberl),
                "fine-tuned, JOYFUL": tuned(joyful),
                "fine-tuned, JOYFUL, class weights": tuned(weighted),
                "fine-tuned, GAN, JOYFUL": tuned(gan, joyful),
                "fine-tuned, five Bi-GRUs": tuned(five(gru)),
                "fine-tuned, five JOYFULs": tuned(five(joyful)),
                "fine-tuned, GAN, five JOYFULs": tuned(gan, five(joyful)),
            }
        )

    def embedder(self):
        return TextEmbedder(self.model, cache=self.cache, **self.context)

    def behind_embedding(self, *steps):
        """Put what knows nothing of emotions before other steps."""
        return lambda seed: self.pipeline(self.embedder(), steps, seed)

    def behind_fine_tuning(self, *steps):
        """Put what has learned emotions before them."""
        return lambda seed: self.pipeline(
            FineTunedTextEmbedder(
                self.model,
                cache=self.cache,
                random_state=seed,
                **self.context,
                **self.tuning,
            ),
            steps,
            seed,
        )

    def pipeline(self, embedder, steps, seed):
        tuned = isinstance(embedder, FineTunedTextEmbedder)
        keys = list(KEYS) * (tuned or any(self.context.values()))
        columns = ColumnTransformer(
            [
                ("keys", "passthrough", list(KEYS)),
                ("text", embedder, ["utterance", *keys]),
                *((m, "passthrough", columns_of(m)) for m in self.modalities),
            ]
        ).set_output(transform="pandas")
        return make_pipeline(
            columns, *(step(seed) for step in steps), memory=self.cache
        )


def utterances(seed):
    """Leave out validation rows, from which what comes next would learn."""
    return FunctionSampler(func=of_utterances, validate=False)


def of_utterances(X, y):
    kept = (read_keys(X)["dialogue__role"] == "utterance").to_numpy()
    return X[kept], y[kept]


def soft_weights(y):
    """Square roots of the balanced weights of classes."""
    names, count = np.unique(y, return_counts=True)
    return dict(zip(names, np.sqrt(count.mean() / count), strict=True))


def linear(seed):
    return logistic(features)


def columns_of(modality):
    return make_column_selector(pattern=f"^{modality}__")


def read(arguments):
    """Read the official parts; dev becomes validation."""
    if arguments.sentences is None:
        corpus = load_meld(arguments.data)
        X, y, part = corpus.data, corpus.target, corpus.split
    else:
        X, y, part = load_table(
            arguments.data, modalities=arguments.modalities, return_split=True
        )
        # "None" is something to say.
        said = pd.read_csv(arguments.sentences, keep_default_na=False)
        said = said.set_index(["dialogue", "turn"])["sentence"]
        X["utterance"] = said.loc[[*zip(X[KEYS[0]], X[KEYS[1]], strict=True)]].to_list()
    held_out = X["dialogue__id"][part == "dev"].unique()
    return divide(X, y, np.flatnonzero(part == "test"), dialogues=held_out)


if __name__ == "__main__":
    arguments = parse(
        __doc__.splitlines()[0],
        list(Models()),
        model=LOCAL,
        sentences=None,
        epochs=2,
        cv=4,
        **{"context-past": 0, "context-future": 0, "speakers": False},
    )
    if arguments.folds or (arguments.modalities and not arguments.sentences):
        raise SystemExit("There are no folds here, and no modalities in annotations.")
    with TemporaryDirectory() as cache:
        parts, start = read(arguments), time.perf_counter()
        models = Models(
            arguments.model,
            cache,
            arguments.modalities or (),
            soft_weights(of_utterances(*parts[:2])[1]),
            {
                "context_past": int(arguments.context_past),
                "context_future": int(arguments.context_future),
                "speakers": arguments.speakers,
            },
            max_epochs=int(arguments.epochs),
            cv=int(arguments.cv) or None,
        )
        for X in (parts[0], parts[2]):
            models.embedder().fit_transform(X[["utterance", *KEYS]])
        print(f"Embedding: {time.perf_counter() - start:.0f} s\n")
        fixed = [
            name
            for name in models
            if ("logistic" in name or "frequent" in name) and "tuned" not in name
        ]
        print_table(models, [parts], arguments, floor=FLOOR, fixed=fixed)
