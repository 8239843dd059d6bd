"""Steps of pipelines, each a function of the seed."""

from imblearn.pipeline import make_pipeline
from sklearn.ensemble import VotingClassifier
from sklearn.preprocessing import FunctionTransformer

from skmerc import (
    CBERLClassifier,
    DialogueGCNClassifier,
    DialogueSampler,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc.frame import drop_keys
from skmerc.sampling import up_to_mean


def gan(seed, **changes):
    """CBERL's generator, which raises rare emotions to the mean."""
    settings = {"sampling_strategy": "mean"} | changes
    return MultimodalGANSampler(random_state=seed, **settings)


def rival(sampler, seed):
    """An over-sampler of imbalanced-learn in the generator's place."""
    sampler.set_params(sampling_strategy=up_to_mean, random_state=seed)
    return DialogueSampler(sampler)


def filled(seed=0):
    """0 where a modality is missing, for over-samplers that refuse to know."""
    return FunctionTransformer(fill_missing)


def fill_missing(X):
    """Write 0 where a modality is missing."""
    return X.fillna(dict.fromkeys(drop_keys(X), 0.0))


def fuser(seed, **changes):
    """CBERL's fuser."""
    return DJVAEFuser(random_state=seed, **changes)


def cberl(seed, **changes):
    """CBERL's classifier."""
    return CBERLClassifier(random_state=seed, **changes)


def joyful(seed, **changes):
    """JOYFUL."""
    return JoyfulClassifier(random_state=seed, **changes)


def dialoguegcn(seed):
    """DialogueGCN."""
    return DialogueGCNClassifier(random_state=seed)


def changed(step, **settings):
    """Return a step with other settings."""
    return lambda seed: step(seed, **settings)


def in_a_row(*steps):
    """Return what makes a pipeline of those steps that are not None."""
    kept = [step for step in steps if step is not None]
    return lambda seed: make_pipeline(*(step(seed) for step in kept))


def five(classifier):
    """Return what makes five of a classifier, which answer by their mean."""
    return lambda seed: VotingClassifier(
        [(str(number), classifier(5 * seed + number)) for number in range(5)],
        voting="soft",
    )


three_steps = in_a_row(gan, fuser, cberl)
