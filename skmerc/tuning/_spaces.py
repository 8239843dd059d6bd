"""Ranges worth searching, with where they come from."""

from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from scipy.stats import loguniform, uniform

import skmerc
from skmerc._utils.compat import HasMethods, validate_params
from skmerc._utils.registry import Range


@validate_params(
    {"estimator": [str, HasMethods("get_params")]}, prefer_skip_nested_validation=True
)
def search_space(estimator: Any) -> dict[str, BaseDistribution]:
    """Give the ranges of an estimator, or of all steps of a pipeline.

    The parameters of an estimator come in the order of what they are worth: where
    there is time for few trials, take the first ones.

    Parameters
    ----------
    estimator : str, estimator or pipeline
        ``"CBERLClassifier"``, ``"DialogueGCNClassifier"``, ``"JoyfulClassifier"``,
        ``"JoyfulRegressor"``, ``"MultimodalGANSampler"`` or ``"DJVAEFuser"``, one of
        these estimators, or a pipeline. The names of a pipeline's parameters begin
        with the step, as in ``clf__lr``; other steps stay as they are.

    Returns
    -------
    dict of str to optuna.distributions.BaseDistribution
        Range of each parameter.

    Raises
    ------
    ValueError
        If nothing of it has a range.

    See Also
    --------
    DialogueObjective : Searches them with Optuna.
    param_distributions : The same ranges for the searches of scikit-learn.

    Notes
    -----
    Every range holds the default, and the published number where there is one.

    JOYFUL [1]_. *lr*: 3e-5 in the paper, for 50 epochs, to ten times our default.
    *dropout*: around our default; 0.3 in the released code. *fusion_size*: half to
    twice our default; the paper's is the number of features. *conv*: "mean" is the
    paper's, "rgcn" the released code's. *contrast_weight*: 0.3, on MOSEI 0.1, and 0.2
    in the released code. *window_past*, *window_future*: those that the paper
    compares. *graph_layers*: the paper compares 1, 2 and 4. *fusion_weight*: 0.06, best
    up to 0.08, and 0.05 in the released code. *augmentation_rate*: 0.2, and 0.1 for
    edges in the released code; it has no say where *feature_mask_rate* and *edge_rate*
    are given. *focal_gamma*: 0 is the paper's loss; leave it out where
    an utterance can have several emotions.

    CBERL [2]_ tells no numbers. *lr*, *dropout*, *batch_size*: from the habits of its
    authors' other code (1e-4, 0.5, 8 to 32 dialogues) to those that did best on
    validation dialogues of real tables. *hidden_size*: half to twice our default.
    *focal_gamma*: 2 in [3]_, 2.5 in its authors' other code, 0 is cross-entropy.
    *graph_layers*: 1 or the 2 of its authors' other code. *mask_rate*: 0.3 to 0.75 in
    [4]_, and less for short dialogues. *reconstruction_weight*: around our 0.5; 0
    switches the second task off.

    DialogueGCN [8]_. *hidden_size*, *window_past*, *window_future*: around the 100 and
    10 of its code. *lr*, *dropout*: around the 3e-4 and 0.4 of its command for IEMOCAP
    and our defaults.

    Sampler and fuser. *sampling_strategy*: "mean" alone, since to make a class of
    MELD's *fear* as frequent as *neutral* takes 17 invented utterances for each real.
    *lr* of the sampler: around the 2e-4 of [5]_; 25 times as much breaks the game.
    *cycle_weight*: up to the 10 of [5]_. *n_steps*, *diversity*, *latent_size*,
    *beta*, *lr* of the fuser and *modality_dropout*: around our defaults, and *gamma*
    below the least *beta*; what a larger *beta* costs is in the notes of
    :class:`skmerc.DJVAEFuser`. *posterior*: that of [6]_ or of [7]_.

    References
    ----------
    .. [1] D. Li et al., "Joyful: Joint modality fusion and graph contrastive learning
       for multimodal emotion recognition", EMNLP 2023.
    .. [2] T. Meng et al., "Deep imbalanced learning for multimodal emotion
       recognition in conversations", arXiv 2312.06337.
    .. [3] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017.
    .. [4] Z. Hou et al., "GraphMAE: Self-supervised masked graph autoencoders",
       KDD 2022.
    .. [5] J.-Y. Zhu et al., "Unpaired image-to-image translation using
       cycle-consistent adversarial networks", ICCV 2017.
    .. [6] M. Suzuki et al., "Joint multimodal learning with deep generative models",
       arXiv 1611.01891.
    .. [7] M. Wu, N. Goodman, "Multimodal generative models for scalable
       weakly-supervised learning", NeurIPS 2018.
    .. [8] D. Ghosal et al., "DialogueGCN: A graph convolutional neural network for
       emotion recognition in conversation", EMNLP 2019.

    Examples
    --------
    >>> from imblearn.pipeline import Pipeline
    >>> from skmerc import CBERLClassifier, DJVAEFuser
    >>> from skmerc.tuning import search_space
    >>> list(search_space("CBERLClassifier"))[:3]
    ['lr', 'dropout', 'hidden_size']
    >>> pipeline = Pipeline([("fuse", DJVAEFuser()), ("clf", CBERLClassifier())])
    >>> search_space(pipeline)["clf__lr"]
    FloatDistribution(high=0.003, log=True, low=0.0001, step=None)
    """
    space = _collect(estimator, prefix="")
    if not space:
        name = estimator if isinstance(estimator, str) else _kind_of(estimator).__name__
        known = ", ".join(kind for kind in skmerc.__all__ if _collect(kind, prefix=""))
        raise ValueError(f"{name!r} has no search space; there is one for {known}.")
    return space


def _collect(estimator: Any, prefix: str) -> dict[str, BaseDistribution]:
    space: dict[str, BaseDistribution] = {}
    for name, step in getattr(estimator, "steps", ()):
        space |= _collect(step, f"{prefix}{name}__")
    named = isinstance(estimator, str) and estimator in skmerc.__all__
    kind = getattr(skmerc, estimator) if named else _kind_of(estimator)
    for name, values in getattr(kind, "_search_space", {}).items():
        space[prefix + name] = _distribution(values)
    return space


def _kind_of(estimator: Any) -> type:
    return estimator if isinstance(estimator, type) else type(estimator)


def _distribution(values: Any) -> BaseDistribution:
    if not isinstance(values, Range):
        return CategoricalDistribution(values)
    if isinstance(values.low, int):
        return IntDistribution(values.low, int(values.high), values.log, values.step)
    return FloatDistribution(values.low, values.high, log=values.log)


@validate_params({"space": [dict]}, prefer_skip_nested_validation=True)
def param_distributions(space: dict[str, BaseDistribution]) -> dict[str, Any]:
    """Turn ranges of Optuna into those of scikit-learn's random searches.

    Parameters
    ----------
    space : dict of str to optuna.distributions.BaseDistribution
        Range of each parameter, as :func:`search_space` gives them.

    Returns
    -------
    dict of str to list or scipy.stats distribution
        For ``RandomizedSearchCV`` and ``HalvingRandomSearchCV``.

    Raises
    ------
    ValueError
        If a range is one of integers on a logarithmic scale, for which scipy has no
        distribution.

    Examples
    --------
    >>> from sklearn.model_selection import RandomizedSearchCV
    >>> from skmerc import JoyfulClassifier
    >>> from skmerc.model_selection import DialogueKFold
    >>> from skmerc.tuning import param_distributions, search_space
    >>> ranges = param_distributions(search_space("JoyfulClassifier"))
    >>> ranges["conv"], ranges["fusion_size"]
    (['mean', 'rgcn', 'attention'], [64, 128, 192, 256])
    >>> search = RandomizedSearchCV(JoyfulClassifier(), ranges, cv=DialogueKFold(3))
    """
    return {name: _of_scipy(name, space[name]) for name in space}


def _of_scipy(name: str, distribution: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    low, high, step = distribution.low, distribution.high, distribution.step
    if isinstance(distribution, FloatDistribution):
        if step is not None:
            return np.arange(low, high + step / 2, step).tolist()
        return loguniform(low, high) if distribution.log else uniform(low, high - low)
    if distribution.log:
        raise ValueError(
            f"{name!r} has integers on a logarithmic scale, for which scipy has no "
            "distribution; give a list of them in its place."
        )
    return list(range(low, high + 1, step))
