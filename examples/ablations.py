"""What each part of CBERL and of JOYFUL brings: one part changed at a time.

    python examples/ablations.py --data iemocap6_ta.npz --modalities text audio \
        --minority hap exc --seeds 5 --picture ablations.png

Each variant is CBERL's pipeline of three steps, or JOYFUL, with one part left out or
replaced. The table is read, scored and printed as in ``results_table.py``, whose
options it takes; ``--folds 4`` is the way to choose a setting. Differences are to the
first model named, "whole" by default; the picture shows them with their standard
errors. Variants that share the fitted sampler and fuser of a seed do not fit them
again, so that seconds do not compare.
"""

from itertools import product
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from imblearn.pipeline import make_pipeline
from results_table import (
    cberl,
    fuser,
    gan,
    joyful,
    parse,
    print_table,
    read_divisions,
)
from sklearn.base import BaseEstimator, TransformerMixin

from skmerc import DJVAEFuser
from skmerc.frame import drop_keys

WHOLE = "whole"
RATES = (0.0, 0.1, 0.5, 0.9)
MODES = ("node", "neighbor", "class_aware")


class PlainVAE(TransformerMixin, BaseEstimator):
    """A variational autoencoder on the concatenation, blind to modalities."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        """Fit a fuser for which all features are one modality."""
        self.fuser_ = DJVAEFuser(
            modalities={"all": list(drop_keys(X).columns)},
            gamma=0.0,
            modality_dropout=0.0,
            random_state=self.random_state,
        ).fit(X)
        return self

    def transform(self, X):
        """Fuse."""
        return self.fuser_.transform(X)


def pipeline(sampler=gan, fuse=fuser, **classifier):
    """Return what builds the pipeline for a seed; a step may be None."""

    def build(seed):
        steps = [step(seed) for step in (sampler, fuse) if step is not None]
        return make_pipeline(*steps, cberl(seed, **classifier))

    return build


def changed(step, **settings):
    return lambda seed: step(seed, **settings)


VARIANTS = {
    WHOLE: pipeline(),
    "no augmentation": pipeline(sampler=None),
    'source="any"': pipeline(sampler=changed(gan, source="any")),
    "sampler, classification weight 0.1": pipeline(
        sampler=changed(gan, classification_weight=0.1)
    ),
    'placement="isolated"': pipeline(sampler=changed(gan, placement="isolated")),
    "concatenation, no fuser": pipeline(fuse=None),
    "plain VAE": pipeline(fuse=PlainVAE),
    "code alone": pipeline(fuse=changed(fuser, output="latent")),
    "supervised code": pipeline(fuse=changed(fuser, classification_weight=0.3)),
    "fused inside, jointly": pipeline(fuse=None, fusion="djvae"),
    "code alone, jointly": pipeline(fuse=None, fusion="djvae_latent"),
    "the past alone": pipeline(bidirectional=False, window_future=0),
    "boosting head": pipeline(head="boost"),
    "no focal loss": pipeline(focal_gamma=0.0),
    "class weights": pipeline(class_weight="balanced"),
}
VARIANTS |= {
    f"mask {mode} {rate}": pipeline(mask=mode, mask_rate=rate)
    for mode, rate in product(MODES, RATES)
    if rate or mode == MODES[0]
}
JOYFUL = {
    "": {},
    ", faster (lr 1e-3, 40 epochs)": {"lr": 1e-3, "max_epochs": 40},
    ", neighbours averaged": {"conv": "mean"},
    ", relations averaged apart": {"conv": "rgcn"},
    ", four context layers": {"context_layers": 4},
    ", no contrast": {"contrast_weight": 0.0},
    ", contrast of the released code": {"contrast": "grace"},
    ", supervised contrast": {"contrast": "supervised"},
    ", no augmentation": {"augmentation_rate": 0.0},
    ", global fusion alone": {"specific_fusion": False},
    ", specific fusion alone": {"global_fusion": False},
    ", no fusion": {"global_fusion": False, "specific_fusion": False},
    ", two phases": {"training": "two-phase"},
    ", constant learning rate": {"schedule": None},
    ", focal loss": {"focal_gamma": 2.0},
}
VARIANTS |= {
    f"JOYFUL{name}": changed(joyful, **settings) for name, settings in JOYFUL.items()
}


def keeping(variants, cache):
    """Let pipelines keep what they fitted, for others that need the same."""
    return {
        name: lambda seed, build=build: remember(build(seed), cache)
        for name, build in variants.items()
    }


def remember(model, cache):
    """Give a pipeline a folder for what it fits."""
    return model.set_params(memory=cache) if hasattr(model, "steps") else model


def draw(found, floor, path):
    """Draw the mean difference of each variant to the floor, with standard errors."""
    whole = found.pop(floor)["weighted F1"]
    gains = {name: runs["weighted F1"] - whole for name, runs in found.items()}
    names = list(gains)
    means = [gains[name].mean() for name in names]
    errors = [gains[name].std(ddof=1) / np.sqrt(len(whole)) for name in names]
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.28 * len(names)))
    axes.barh(names, means, xerr=errors, color="#8fb3d9")
    axes.axvline(0, color="#1f4e79")
    axes.invert_yaxis()
    axes.set_xlabel(f"weighted F1, difference to {floor} ({whole.mean():.1f})")
    figure.savefig(path, dpi=130, bbox_inches="tight")


if __name__ == "__main__":
    arguments = parse(__doc__.splitlines()[0], VARIANTS, picture=None)
    floor = arguments.models[0]
    with TemporaryDirectory() as cache:
        models, divisions = keeping(VARIANTS, cache), read_divisions(arguments)
        found = print_table(models, divisions, arguments, floor=floor)
    if arguments.picture:
        draw(found, floor, arguments.picture)
