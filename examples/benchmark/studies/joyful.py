"""What JOYFUL's digest asks for."""

from itertools import combinations, product

from benchmark import floors, measures
from benchmark.noisy import NoisyConv
from benchmark.steps import changed, joyful
from benchmark.studies import study
from benchmark.wrappers import OfBlocks
from skmerc import JoyfulRegressor

WHOLE = "JOYFUL"
RATES = (0.1, 0.2, 0.3, 0.4, 0.5)
# Deep networks: they learn faster than by default, and with less dropout, which stands
# before each layer and leaves eight of them nothing.
QUICK = {"lr": 1e-3, "batch_size": 4, "max_epochs": 60, "dropout": 0.2}


def variants(settings):
    """Return JOYFUL, and with other settings under their names."""
    return {WHOLE: joyful} | {
        f"{WHOLE}, {name}": changed(joyful, **given) for name, given in settings.items()
    }


@study(WHOLE)
def modalities(table):
    """What does each modality bring, alone and in pairs?"""
    names = table.modalities
    subsets = [s for n in range(1, len(names)) for s in combinations(names, n)]
    makers = {WHOLE: joyful, "logistic regression": floors.logistic}
    return makers | {
        f"{name}, {' and '.join(subset)}": _reading(make, subset)
        for subset in subsets
        for name, make in makers.items()
    }


def _reading(make, blocks):
    return lambda seed: OfBlocks(make(seed), list(blocks))


@study("JOYFUL: window all")
def window(table):
    """How far should the graph reach, from 1 utterance to the whole dialogue?"""
    sizes = [*range(1, 11), None]
    return {
        f"JOYFUL: window {size or 'all'}": changed(
            joyful, window_past=size, window_future=size
        )
        for size in sizes
    }


@study("JOYFUL: both 0.2")
def augmentation_rates(table):
    """How many features to mask, and how many edges to move, each apart?"""
    made = {"JOYFUL: both 0.2": joyful}
    for rate in (0.0, *RATES):
        made[f"JOYFUL: feature mask {rate}"] = changed(joyful, feature_mask_rate=rate)
        made[f"JOYFUL: edges {rate}"] = changed(joyful, edge_rate=rate)
    return made


@study(WHOLE)
def contrast(table):
    """What does the contrastive loss bring, in which form?"""
    return variants(
        {
            "no contrast": {"contrast_weight": 0.0},
            "no contrast, no augmentation": {
                "contrast_weight": 0.0,
                "augmentation_rate": 0.0,
            },
            "contrast of the released code": {"contrast": "grace"},
            "supervised contrast": {"contrast": "supervised"},
            "supervised contrast, of the batch": {
                "contrast": "supervised",
                "batch_negatives": True,
            },
            "no augmentation": {"augmentation_rate": 0.0},
        }
    )


@study(WHOLE)
def phases(table):
    """Is joint training better than fusing first and recognising then?"""
    return variants(
        {
            "two phases": {"training": "two-phase"},
            "constant learning rate": {"schedule": None},
            "faster (lr 1e-3, 40 epochs)": {"lr": 1e-3, "max_epochs": 40},
        }
    )


@study("contrast, noise 0.0: layers 1", measure=measures.over_smoothing)
def depth(table):
    """Does contrast keep deep networks apart, with wrong edges too?"""
    weights = {"contrast": 0.3, "no contrast": 0.0}
    noises = (0.0, 0.05, 0.1, 0.15, 0.2)
    return {
        f"{name}, noise {noise}: layers {layers}": changed(
            joyful,
            graph_layers=layers,
            contrast_weight=weights[name],
            conv=NoisyConv,
            conv_params={"noise": noise},
            **QUICK,
        )
        for name, noise, layers in product(weights, noises, (1, 2, 4, 8))
    }


@study(WHOLE)
def joyful_parts(table):
    """What do the two fusions, the graph's layer and the loss bring?"""
    return variants(
        {
            "global fusion alone": {"specific_fusion": False},
            "specific fusion alone": {"global_fusion": False},
            "no fusion": {"global_fusion": False, "specific_fusion": False},
            "neighbours averaged": {"conv": "mean"},
            "relations averaged apart": {"conv": "rgcn"},
            "four context layers": {"context_layers": 4},
            "dropout 0.4": {"dropout": 0.4},
            "focal loss": {"focal_gamma": 2.0},
        }
    )


@study("ridge regression", kind="scores")
def sentiment(table):
    """How strong is the sentiment (MOSI, MOSEI)?"""
    return floors.SCORE_FLOORS | {
        WHOLE: lambda seed: JoyfulRegressor(random_state=seed),
        f"{WHOLE}, no contrast": lambda seed: JoyfulRegressor(
            contrast_weight=0.0, random_state=seed
        ),
    }
