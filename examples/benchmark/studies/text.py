"""What text is worth: as words, embedded, fitted to emotions, alone or in context."""

from imblearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmark.corpora import WORDS
from benchmark.floors import FLOOR, gru, logistic, most_frequent
from benchmark.steps import cberl, five, fuser, gan, joyful
from benchmark.studies import study
from skmerc import FineTunedTextEmbedder, TextEmbedder, UtteranceClassifier
from skmerc.frame import KEYS

PAST, FUTURE = 5, 2
READINGS = {
    "alone": {},
    "past": {"context_past": PAST},
    "past, speakers": {"context_past": PAST, "speakers": True},
    "past and future, speakers": {
        "context_past": PAST,
        "context_future": FUTURE,
        "speakers": True,
    },
}
"""What the sentence model reads beside each utterance."""
HEADS = {"logistic regression": logistic, FLOOR: gru, "classifier": cberl}
HEADS |= {"JOYFUL": joyful}
STEPS = {name: (make,) for name, make in HEADS.items()}
STEPS |= {"CBERL, three steps": (gan, fuser, cberl), "five JOYFULs": (five(joyful),)}
STEPS |= {"five classifiers": (five(cberl),)}
WITHOUT_SEED = {
    "most frequent",
    *(
        f"logistic regression, {how}"
        for how in ("words", "alone beside past", *READINGS)
    ),
}


@study(f"{FLOOR}, alone", kind="text", without_seed=frozenset(WITHOUT_SEED))
def text(table):
    """What is text worth as words, and embedded alone or behind earlier turns?"""
    made = {"most frequent": most_frequent, "logistic regression, words": words}
    for reading, given in READINGS.items():
        for name, make in HEADS.items():
            made[f"{name}, {reading}"] = behind(TextEmbedder, table, given, make)
    both = [TextEmbedder(**table.embedder | READINGS[r]) for r in ("alone", "past")]
    for name, make in HEADS.items():
        made[f"{name}, alone beside past"] = _behind(both, table, make)
    return made


@study(f"{FLOOR}, alone", kind="text")
def fine_tuned_text(table):
    """What is text worth whose model has learned emotions, alone or in context?"""
    readings = {r: given for r, given in READINGS.items() if r != "past"}
    made = {
        f"{name}, {reading}": behind(FineTunedTextEmbedder, table, given, *steps)
        for reading, given in readings.items()
        for name, steps in STEPS.items()
    }
    once = {"cv": None, "max_epochs": 1}
    for name, steps in STEPS.items():
        for reading in ("alone", "past, speakers"):
            made[f"{name}, {reading}, one model in one pass"] = behind(
                FineTunedTextEmbedder, table, readings[reading] | once, *steps
            )
    return made


def behind(kind, table, given, *steps):
    """Return what makes a pipeline of an embedder and steps, by the seed."""
    embedder = kind(**table.embedder | given)
    return _behind([embedder], table, *steps)


def _behind(embedders, table, *steps):
    def build(seed):
        blocks = [("keys", "passthrough", list(KEYS))]
        for number, embedder in enumerate(embedders):
            name = f"text{number or ''}"
            blocks.append((name, seeded(embedder, seed), [WORDS, *KEYS]))
        for name in table.modalities:
            columns = make_column_selector(pattern=f"^{name}__")
            blocks.append((name, "passthrough", columns))
        columns = ColumnTransformer(blocks).set_output(transform="pandas")
        memory = table.embedder["cache"]
        return make_pipeline(columns, *(step(seed) for step in steps), memory=memory)

    return build


def seeded(embedder, seed):
    """Return an embedder whose model, where it learns one, is that of the seed."""
    learns = "random_state" in embedder.get_params()
    return clone(embedder).set_params(**{"random_state": seed} if learns else {})


def words(seed=0):
    """Logistic regression on the words of the utterance."""
    # Marks count: without them the score on MELD falls by nine points. C is that of 1,
    # 3 and 10 which does best on its validation dialogues.
    count = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), min_df=2, token_pattern=r"\w+|[!?.]+"
    )
    counts = ColumnTransformer([("words", count, WORDS)])
    model = LogisticRegression(C=3, max_iter=2000)
    return UtteranceClassifier(make_pipeline(counts, model))
