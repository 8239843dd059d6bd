"""Studies of all systems: beside floors and rivals, of several corpora, by amount."""

from imblearn.over_sampling import SMOTE, RandomOverSampler

from benchmark import measures
from benchmark.floors import FLOOR, FLOORS, gru, logistic
from benchmark.steps import (
    cberl,
    changed,
    dialoguegcn,
    filled,
    five,
    fuser,
    gan,
    in_a_row,
    joyful,
    rival,
    three_steps,
)
from benchmark.studies import study
from benchmark.wrappers import FineTuned, OfDomain, OfShare
from skmerc import DialogueGCNClassifier, JoyfulClassifier
from skmerc.recognition import make_cberl

SYSTEMS = {
    "classifier": cberl,
    "CBERL, three steps": three_steps,
    "CBERL, trained jointly": in_a_row(gan, changed(cberl, fusion="djvae")),
    "JOYFUL": joyful,
}
NETWORKS = {"classifier": cberl, "JOYFUL": joyful}


@study(FLOOR)
def systems(table):
    """Do the systems stand above floors that got the same care?"""
    published = {
        "JOYFUL": (JoyfulClassifier, "paper", "released"),
        "DialogueGCN": (DialogueGCNClassifier, "released"),
    }
    made = FLOORS | SYSTEMS | {"DialogueGCN": dialoguegcn}
    made['CBERL, preset "paper"'] = lambda seed: make_cberl("paper", random_state=seed)
    return made | {
        f'{name}, preset "{preset}"': _of_preset(kind, preset)
        for name, (kind, *presets) in published.items()
        for preset in presets
    }


def _of_preset(kind, preset):
    return lambda seed: kind.from_preset(preset, random_state=seed)


@study(FLOOR)
def imbalance(table):
    """Does a line of code find rare emotions as well as the generator?"""
    weighings = {
        "class weights": {"class_weight": "balanced"},
        "square roots": {"class_weight": "sqrt"},
        "effective number": {"class_weight": "effective"},
        "logit adjustment": {"logit_adjustment": 1.0},
    }
    made = {
        FLOOR: gru,
        f"{FLOOR}, class weights": changed(gru, imbalance="class_weight"),
        f"{FLOOR}, logit adjustment": changed(gru, imbalance="logit_adjustment"),
    }
    for name, given in weighings.items():
        focal = {"focal_gamma": 0.0} if "logit_adjustment" in given else {}
        made[f"classifier, {name}"] = changed(cberl, **given, **focal)
        made[f"JOYFUL, {name}"] = changed(joyful, **given)
    return (
        made
        | SYSTEMS
        | {
            "random over-sampling, fuser, classifier": in_a_row(
                filled, lambda seed: rival(RandomOverSampler(), seed), fuser, cberl
            ),
            "SMOTE, fuser, classifier": in_a_row(
                filled, lambda seed: rival(SMOTE(), seed), fuser, cberl
            ),
            "GAN, JOYFUL": in_a_row(gan, joyful),
        }
    )


@study(FLOOR)
def ensembles(table):
    """What are five networks worth that vote?"""
    singles = {FLOOR: gru, "classifier": cberl, "JOYFUL": joyful}
    return singles | {f"five {name}s": five(make) for name, make in singles.items()}


@study("logistic regression: 100 % of the dialogues")
def learning_curve(table):
    """Which model for how much data?"""
    models = {"logistic regression": logistic, FLOOR: gru} | SYSTEMS
    return {
        f"{name}: {share} % of the dialogues": _of_share(make, share / 100)
        for share in (10, 20, 40, 70, 100)
        for name, make in models.items()
    }


def _of_share(make, share):
    return lambda seed: OfShare(make(seed), share, random_state=seed)


@study(FLOOR, measure=measures.by_speakers)
def speakers(table):
    """Are some speakers recognised worse: by sex, and those never heard before?"""
    return {
        "logistic regression": logistic,
        FLOOR: gru,
        "classifier": cberl,
        "CBERL, three steps": three_steps,
        "JOYFUL": joyful,
    }


@study("logistic regression, source alone", kind="transfer")
def transfer(table):
    """What is a corpus worth on another one, over the emotions that they share?"""
    made = {}
    for name, make in ({"logistic regression": logistic} | NETWORKS).items():
        made[f"{name}, source alone"] = _of_domain(make, "source")
        made[f"{name}, ten dialogues of the target alone"] = _of_domain(make, "few")
        made[f"{name}, target alone"] = _of_domain(make, "few", "target")
        made[f"{name}, source and ten dialogues"] = _of_domain(make, "source", "few")
    return made | {
        f"{name}, source, fine-tuned on ten dialogues": _fine_tuned(make)
        for name, make in NETWORKS.items()
    }


@study("logistic regression, this corpus", kind="together")
def together(table):
    """Do larger and more heterogeneous data help: all corpora at once?"""
    made = {}
    for name, make in ({"logistic regression": logistic} | NETWORKS).items():
        made[f"{name}, this corpus"] = _of_domain(make, "target")
        made[f"{name}, all corpora"] = _of_domain(make, "source", "target")
        made[f"{name}, all others"] = _of_domain(make, "source")
    return made


def _of_domain(make, *domains):
    return lambda seed: OfDomain(make(seed), domains)


def _fine_tuned(make):
    return lambda seed: FineTuned(make(seed))
