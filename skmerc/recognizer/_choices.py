"""What is chosen for a table, and why.

The rules rest on what docs/results.rst measured. Their thresholds lie between the
tables that were measured there, and are no more exact than that.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmerc.frame import drop_keys
from skmerc.frame._columns import KEYS, ROLES, SYNTHETIC, UTTERANCE
from skmerc.fusion import DJVAEFuser
from skmerc.recognition import (
    CBERLClassifier,
    JoyfulClassifier,
    UtteranceClassifier,
)
from skmerc.sampling import MultimodalGANSampler

FEW_DIALOGUES = 12
"""From twelve on networks answer better than logistic regression, or as well.

They do from six on, but their probabilities are much too sure then.
"""
RARE = 0.25
"""Share of the mean number of utterances: MELD's rarest have .2, IEMOCAP's .5."""
ENOUGH_OF_RARE = 30
"""Utterances of a rare emotion that a generator can learn from."""
PENALTY = 0.1
"""C of logistic regression on few dialogues, chosen on left-out training dialogues.

On 5, 12 and 19 of MAIA, EmotionPush and IEMOCAP the F1 is that of C=1 within a point or
two, and the log loss of its probabilities lower by a tenth to four tenths.
"""
ENOUGH = 1000
"""Labelled utterances from which on the sampler and fine-tuned texts were measured."""


@dataclass(frozen=True)
class Amount:
    """How much there is to learn from.

    Attributes
    ----------
    n_dialogues : int
        Dialogues with several turns, of which some utterance is labelled.
    counts : dict
        Labelled utterances of each class; empty after an indicator matrix.
    n_labelled : int
        Labelled utterances.
    """

    n_dialogues: int
    counts: dict
    n_labelled: int

    @classmethod
    def of(cls, keys: Any, y: np.ndarray) -> "Amount":
        """Count what keys and labels tell."""
        labelled = (keys[KEYS[3]] == ROLES[UTTERANCE]).to_numpy()
        real = keys[keys[KEYS[3]] != ROLES[SYNTHETIC]]
        lengths = real[KEYS[0]].value_counts()
        ids = keys.loc[labelled, KEYS[0]].unique()
        counts = {}
        if y.ndim == 1:
            names, numbers = np.unique(y[labelled], return_counts=True)
            counts = dict(zip(names.tolist(), numbers.tolist(), strict=True))
        n_dialogues = int((lengths.loc[ids] > 1).sum()) if len(ids) else 0
        return cls(n_dialogues, counts, int(labelled.sum()))

    @property
    def rare(self) -> list:
        """Classes that are rare, and numerous enough for a generator."""
        limit = RARE * self.n_labelled / max(len(self.counts), 1)
        return [c for c, n in self.counts.items() if ENOUGH_OF_RARE <= n < limit]


@dataclass(frozen=True)
class Choice:
    """Steps of a pipeline behind the features, and why they are there.

    Attributes
    ----------
    steps : list of (str, estimator)
        The steps.
    reasons : dict of str to str
        A sentence for each kind of step.
    in_context : bool
        Whether the last step reads dialogues.
    """

    steps: list
    reasons: dict
    in_context: bool = True


def choose(amount: Amount, sampler: Any, classifier: Any, settings: dict) -> Choice:
    """Choose sampler, fuser and classifier, save for those that are given."""
    if sampler == "auto" and classifier != "auto":
        sampler = None
    if classifier != "auto":
        chosen = Choice([("classifier", classifier)], {"classifier": "As you said."})
    elif amount.n_dialogues < FEW_DIALOGUES:
        chosen = _without_context(amount, settings)
    elif not amount.counts:
        chosen = _several_labels(settings)
    elif sampler == "auto" and amount.rare and amount.n_labelled >= ENOUGH:
        return _for_rare(amount, settings)
    else:
        chosen = _plain(amount, settings)
    return _with_sampler(chosen, amount, sampler)


def _without_context(amount: Amount, settings: dict) -> Choice:
    seed = settings["random_state"]
    model: Any = LogisticRegression(C=PENALTY, max_iter=1000, random_state=seed)
    if not amount.counts:  # and names of several emotions are kept
        model = UtteranceClassifier(OneVsRestClassifier(model))
    steps = [
        ("no_keys", FunctionTransformer(drop_keys)),
        ("fill", SimpleImputer(keep_empty_features=True)),
        ("scale", StandardScaler()),
        ("classifier", model),
    ]
    why = (
        f"LogisticRegression on single utterances: {amount.n_dialogues} labelled "
        f"dialogues have several turns, and below {FEW_DIALOGUES} the probabilities of "
        "networks are much too sure. Where answers alone count, "
        "classifier=CBERLClassifier() may be better."
    )
    return Choice(steps, {"classifier": why}, in_context=False)


def _several_labels(settings: dict) -> Choice:
    why = (
        "JoyfulClassifier, since an utterance can have several emotions, which it "
        "alone learns in the context of their dialogue."
    )
    return Choice([("classifier", JoyfulClassifier(**settings))], {"classifier": why})


def _plain(amount: Amount, settings: dict) -> Choice:
    why = (
        f"CBERLClassifier alone, from {amount.n_dialogues} labelled dialogues: on "
        "measured tables it stood above logistic regression and a plain GRU, and the "
        "fuser in front brought nothing that could be told from noise."
    )
    return Choice([("classifier", CBERLClassifier(**settings))], {"classifier": why})


def _for_rare(amount: Amount, settings: dict) -> Choice:
    names = ", ".join(map(str, amount.rare))
    reasons = {
        "sampler": (
            f"MultimodalGANSampler, since {names} are rare and of {ENOUGH_OF_RARE} "
            "utterances at least: on MELD it found twice as many of such emotions, and "
            "cost nothing overall. It moves probabilities towards rare emotions."
        ),
        "fuser": "DJVAEFuser, with which the sampler was measured.",
        "classifier": "CBERLClassifier, the third of CBERL's steps.",
    }
    steps = [
        ("sampler", MultimodalGANSampler(sampling_strategy="mean", **settings)),
        ("fuser", DJVAEFuser(**settings)),
        ("classifier", CBERLClassifier(fusion="concat", **settings)),
    ]
    return Choice(steps, reasons)


def _with_sampler(chosen: Choice, amount: Amount, sampler: Any) -> Choice:
    """Put a sampler that was given in front, or say why there is none."""
    if sampler is not None and sampler != "auto":
        steps = [("sampler", sampler), *chosen.steps]
        reasons = {"sampler": "As you said."} | chosen.reasons
        return Choice(steps, reasons, chosen.in_context)
    why = "None, as you said." if sampler is None else _why_none(amount)
    return Choice(chosen.steps, {"sampler": why} | chosen.reasons, chosen.in_context)


def _why_none(amount: Amount) -> str:
    return (
        f"None: it needs {ENOUGH} labelled utterances in {FEW_DIALOGUES} dialogues, "
        f"and an emotion with {ENOUGH_OF_RARE} of them that has less than "
        f"{RARE:.0%} of the mean; there are {amount.n_labelled} in "
        f"{amount.n_dialogues}."
    )
