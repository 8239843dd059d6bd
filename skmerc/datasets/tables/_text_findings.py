"""Findings of :func:`check_table` in what was said."""

import re

import numpy as np
import pandas as pd

from skmerc.datasets.formats._csv_files import EMPTY_WORDS
from skmerc.datasets.tables._language import foreign_scripts, guess_language
from skmerc.datasets.tables._table_view import NOTE, WARNING, Finding, shown
from skmerc.frame._columns import KEYS
from skmerc.frame._texts import decode, is_blank, is_missing

_NO_TEXTS = {*map(str.lower, EMPTY_WORDS), "[inaudible]"}
_TOKENS_OF_A_WORD = 1.3
_SIGN = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_SPOKEN = 5
_COPIED = 8
"""Words of a dialogue that are no chance where another one has them too."""
_SOME = 0.02
"""Share of texts in another script that is worth a word."""


def find_in_texts(view, max_tokens):
    """List findings in the texts; none where there are no texts."""
    if view.text is None:
        return []
    texts = [decode(text) for text in view.features[view.text]]
    blank = np.array([is_missing(text) or is_blank(text) for text in texts], bool)
    texts = ["" if b else str(t) for t, b in zip(texts, blank, strict=True)]
    said = pd.Series(texts, dtype=object)
    return [
        *_find_blanks(said, blank, view.text),
        *_find_copies(view, said),
        *_find_copied_dialogues(view, said),
        *_find_language([text for text in texts if text], view.text),
        *_find_long(said, view.text, max_tokens),
    ]


def _find_blanks(said, blank, name):
    if blank.any():
        yield Finding(
            WARNING if blank.mean() > _SOME else NOTE,
            f"{blank.sum()} texts are missing or blank ({blank.mean():.0%})",
            f"{name}, {shown(blank)}",
            int(blank.sum()),
            "embedders make them a missing modality; leave rows out that were never "
            "said",
        )
    words = said.str.strip().str.lower().isin(_NO_TEXTS)
    if words.any():
        first = said[words].iloc[0]
        yield Finding(
            WARNING,
            f"{words.sum()} texts are a word for nothing, such as {first!r:.40}",
            f"{name}, {shown(words)}",
            int(words.sum()),
            "write None there, unless it was said",
        )


def _find_copies(view, said):
    """Find rows that stand twice in a dialogue."""
    table = view.keys[[KEYS[0], KEYS[2]]].assign(text=said)
    long = said.str.split().str.len() >= _SPOKEN
    again = table.duplicated() & long
    if again.any():
        yield Finding(
            WARNING,
            f"{again.sum()} utterances of five words or more repeat another of the "
            "same dialogue and speaker",
            f"{view.text}, {shown(again)}",
            int(again.sum()),
            "look whether the table was joined or exported twice",
        )


def _find_copied_dialogues(view, said):
    """Find dialogues in which the same is said as in another."""
    ids = view.keys[KEYS[0]]
    if KEYS[0] not in view.given:
        return
    whole = said.groupby(ids, sort=False).agg("\n".join)
    whole = whole[whole.str.split().str.len() >= _COPIED]
    again = whole[whole.duplicated()]
    if len(again):
        yield Finding(
            WARNING,
            f"{len(again)} dialogues say word for word what another says, such as "
            f"{again.index[0]!r:.60}",
            KEYS[0],
            len(again),
            "keep one of each, or a copy of the test is learned from",
        )


def _find_language(texts, name):
    scripts = foreign_scripts(texts)
    n_foreign = scripts.total()
    if n_foreign > max(_SOME * len(texts), 0):
        told = ", ".join(f"{script} {n}" for script, n in scripts.most_common(3))
        what, count = f"{n_foreign} texts are in another script ({told})", n_foreign
    elif language := guess_language(texts):
        what, count = f"most texts seem to be in {language}", len(texts)
    else:
        return
    yield Finding(
        WARNING,
        f"{what}: a guess by script and common words",
        name,
        count,
        "the default sentence model reads English; give the embedder a multilingual "
        "one, model='sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2'",
    )


def _find_long(said, name, max_tokens):
    n_tokens = said.str.split().str.len() * _TOKENS_OF_A_WORD
    n_tokens += said.str.count(_SIGN)
    long = n_tokens > max_tokens
    if long.any():
        yield Finding(
            WARNING,
            f"{long.sum()} texts have more than about {max_tokens} tokens, estimated "
            f"at {_TOKENS_OF_A_WORD} for each word",
            f"{name}, {shown(long)}",
            int(long.sum()),
            "their ends are not read: split them into turns, or raise max_tokens "
            "where the model has places for more",
        )
