"""What CBERL's digest asks for."""

from itertools import product

from imblearn.over_sampling import SMOTE, RandomOverSampler

from benchmark import measures
from benchmark.rivals import ConditionalVAESampler, MixtureSampler
from benchmark.steps import (
    cberl,
    changed,
    filled,
    fuser,
    gan,
    in_a_row,
    rival,
    three_steps,
)
from benchmark.studies import study
from benchmark.wrappers import PlainVAE, Taught, Tuned
from skmerc import DialogueSampler, MultimodalGANSampler
from skmerc.tuning import search_space

WHOLE = "CBERL, three steps"
CLASSIFIER = "classifier"
DIVERSITIES = (0.0, 0.1, 0.2, 0.4, 0.8)
SAMPLERS = {
    "random over-sampling": RandomOverSampler,
    "SMOTE": SMOTE,
    "Gaussian mixture": MixtureSampler,
    "conditional VAE": ConditionalVAESampler,
}


def with_classifier(**settings):
    """Return CBERL whose classifier has other settings."""
    return in_a_row(gan, fuser, changed(cberl, **settings))


@study(WHOLE)
def augmentation(table):
    """What does the generator bring, and where do its utterances stand?"""
    settings = {
        'source="any"': {"source": "any"},
        "sampler, classification weight 0.1": {"classification_weight": 0.1},
        'placement="isolated"': {"placement": "isolated"},
    }
    return {WHOLE: three_steps, "no augmentation": in_a_row(fuser, cberl)} | {
        name: in_a_row(changed(gan, **given), fuser, cberl)
        for name, given in settings.items()
    }


@study("classifier, no mask", measure=measures.representation)
def masks(table):
    """What do masks do to the score, and to how rare classes stand apart?"""
    made = {"classifier, no mask": changed(cberl, mask_rate=0.0)}
    modes, rates = ("node", "neighbor", "class_aware"), (0.1, 0.3, 0.5, 0.7, 0.9)
    return made | {
        f"{mode}: rate {rate}": changed(cberl, mask=mode, mask_rate=rate)
        for mode, rate in product(modes, rates)
    }


@study(WHOLE)
def fusion(table):
    """Is the code of the joint autoencoder worth more than features side by side?"""
    return {
        WHOLE: three_steps,
        "concatenation, no fuser": in_a_row(gan, cberl),
        "plain VAE": in_a_row(gan, PlainVAE, cberl),
        "code alone": in_a_row(gan, changed(fuser, output="latent"), cberl),
        "code alone, product of experts": in_a_row(
            gan, changed(fuser, output="latent", posterior="poe"), cberl
        ),
        "supervised code": in_a_row(
            gan, changed(fuser, classification_weight=0.3), cberl
        ),
        "fused inside, jointly": in_a_row(gan, changed(cberl, fusion="djvae")),
        "code alone, jointly": in_a_row(gan, changed(cberl, fusion="djvae_latent")),
    }


@study("SMOTE", measure=measures.sample_qualities)
def generator(table):
    """How good are synthetic utterances, and what do they teach by themselves?"""
    rivals = {name: _teaching(kind) for name, kind in SAMPLERS.items()}
    settings = {f"GAN: diversity {d}": {"diversity": d} for d in DIVERSITIES} | {
        "GAN, classification weight 0.1": {"classification_weight": 0.1},
        'GAN, source="any"': {"source": "any"},
    }
    return rivals | {name: _teaching_gan(given) for name, given in settings.items()}


def _teaching(kind):
    return lambda seed: Taught(DialogueSampler(kind()), random_state=seed)


def _teaching_gan(given):
    return lambda seed: Taught(MultimodalGANSampler(**given), random_state=seed)


@study("classifier")
def samplers(table):
    """Which sampler helps the classifier, and does more diversity help?"""
    made = {CLASSIFIER: cberl} | {
        name: in_a_row(filled, _rival(kind), cberl) for name, kind in SAMPLERS.items()
    }
    return made | {
        f"GAN: diversity {d}": in_a_row(changed(gan, diversity=d), cberl)
        for d in DIVERSITIES
    }


def _rival(kind):
    return lambda seed: rival(kind(), seed)


@study("softmax")
def boosting(table):
    """Is the boosting head worth its place?"""
    return {
        "softmax": three_steps,
        "boosting": with_classifier(head="boost"),
        "softmax, classifier alone": cberl,
        "boosting, classifier alone": changed(cberl, head="boost"),
        "softmax, no focal loss": with_classifier(focal_gamma=0.0),
        "boosting, no focal loss": with_classifier(head="boost", focal_gamma=0.0),
    }


@study(WHOLE)
def cberl_parts(table):
    """What do the context and the loss of the classifier bring?"""
    return {
        WHOLE: three_steps,
        "no focal loss": with_classifier(focal_gamma=0.0),
        "no mask": with_classifier(mask_rate=0.0),
        "the past alone": with_classifier(bidirectional=False, window_future=0),
        "no Bi-LSTM": with_classifier(lstm_layers=0),
        "no graph": with_classifier(graph_layers=0),
        "class weights": with_classifier(class_weight="balanced"),
    }


@study(CLASSIFIER)
def tuning(table):
    """What do settings bring that Optuna finds for rare emotions, in 20 trials?"""
    return {
        CLASSIFIER: cberl,
        "classifier, tuned for rare emotions": _tuned(cberl),
        WHOLE: three_steps,
        f"{WHOLE}, tuned for rare emotions": _tuned(three_steps),
    }


def _tuned(make):
    def build(seed):
        model = make(seed)
        return Tuned(model, search_space(model), random_state=seed)

    return build
