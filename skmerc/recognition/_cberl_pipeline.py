"""CBERL whole: sampler, fuser and classifier in one pipeline."""

from typing import TYPE_CHECKING, Any

from skmerc._utils.types import RandomState
from skmerc.fusion import DJVAEFuser
from skmerc.recognition._cberl import CBERLClassifier

if TYPE_CHECKING:
    from imblearn.pipeline import Pipeline


def make_cberl(
    preset: str | None = None,
    *,
    random_state: RandomState | None = None,
    device: str = "auto",
    verbose: int = 0,
) -> "Pipeline":
    """Make CBERL's whole pipeline [1]_: sampler, fuser and classifier.

    Parameters
    ----------
    preset : {"paper"} or None, default=None
        Published settings: each step has its preset of that name, whose notes tell
        what the paper says and what it leaves open, and the code of the fuser alone
        goes on to the classifier. None for the defaults of the steps.
    random_state : int, RandomState instance or None, default=None
        Seed of every step.
    device : str, default="auto"
        Where to train; ``"auto"`` takes a GPU where there is one.
    verbose : int, default=0
        Whether the steps show progress bars.

    Returns
    -------
    imblearn.pipeline.Pipeline
        The steps ``multimodalgansampler``, which raises rare emotions to the mean
        number of utterances per emotion, ``djvaefuser`` and ``cberlclassifier``, not
        fitted. Their parameters are set by ``set_params``.

    Raises
    ------
    ValueError
        If there is no such preset.

    References
    ----------
    .. [1] T. Meng et al., "Deep imbalanced learning for multimodal emotion
       recognition in conversations", arXiv 2312.06337.

    Examples
    --------
    >>> from skmerc.recognition import make_cberl
    >>> model = make_cberl("paper", random_state=0)
    >>> model = model.set_params(cberlclassifier__max_epochs=20)
    >>> model["djvaefuser"].output, model["cberlclassifier"].head
    ('latent', 'boost')
    """
    # Only the whole pipeline needs imbalanced-learn.
    from imblearn.pipeline import make_pipeline

    from skmerc.sampling import MultimodalGANSampler

    steps: list[tuple[Any, dict]] = [
        (MultimodalGANSampler, {"sampling_strategy": "mean"}),
        (DJVAEFuser, {}),
        (CBERLClassifier, {"fusion": "concat"}),
    ]
    shared = {"random_state": random_state, "device": device, "verbose": verbose}
    return make_pipeline(
        *(
            kind(**settings, **shared)
            if preset is None
            else kind.from_preset(preset, **settings, **shared)
            for kind, settings in steps
        )
    )
