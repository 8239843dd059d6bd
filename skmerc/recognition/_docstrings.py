"""Texts of parameters that several estimators have.

Each follows the four spaces that stand before it in a docstring.
"""

from collections.abc import Callable
from typing import TypeVar

_Kind = TypeVar("_Kind", bound=type)


def filled(**texts: str) -> Callable[[_Kind], _Kind]:
    """Decorate a class by putting texts into its docstring, which names their places.

    ``imblearn.utils.Substitution`` does the same, and would import imbalanced-learn.
    """

    def fill(kind: _Kind) -> _Kind:
        if kind.__doc__:  # python -OO leaves none
            kind.__doc__ = kind.__doc__.format(**texts)
        return kind

    return fill


MODALITIES = """\
modalities : mapping of str to list of str, slice or list of int, default=None
        The columns of each modality; by default the text before the first ``__``
        of a column's name."""

CLASSES = """\
class_weight : dict, "balanced", "sqrt", "effective", tuple or None, default=None
        Factor on the loss of each class, and on its weight in the score of validation
        dialogues, which would undo it otherwise. A dict that names all classes of the
        training rows may name others, which a fold may lack. "sqrt" is the square
        root of the factors of "balanced", half of the way to them. "effective" is by
        the effective number of utterances [3]_, ``(1 - beta) / (1 - beta ** n)`` with a
        mean of 1, where beta is 0.999; ``("effective", 0.99)`` is with another beta. It
        tends to "balanced" for a beta near 1, and to no weights for one near 0.
    logit_adjustment : float, default=0.0
        Factor (tau) on the logarithm of the classes' shares in the loss, which is
        added to the logits in training alone [2]_; 1 in its paper. What the
        network answers then assumes shares to the power of ``1 - tau``, even ones for
        1, and `prior` corrects from there. Validation dialogues are scored with
        weights that make these shares theirs. A head learns without it.
        The focal loss flattens probabilities, so that the shift goes too far: set
        `focal_gamma` to 0 beside it."""

RIVALS = """\
.. [2] A. K. Menon et al., "Long-tail learning via logit adjustment",
       ICLR 2021.
    .. [3] Y. Cui, M. Jia, T.-Y. Lin, Y. Song, S. Belongie, "Class-balanced loss based
       on effective number of samples", CVPR 2019."""

READING = """\
standardize : bool, default=True
        Whether features are centred, scaled and clipped at ten deviations, with
        the statistics of the training utterances.
    partial_nan : {"mean", "error"}, default="mean"
        Single missing cells in a modality that is there: filled with the training
        mean, or refused."""

BATCH_SIZE = """\
batch_size : int or "auto", default="auto"
        Number of dialogues in a batch; "auto" is as many as hold about 400
        utterances, or a tenth of all where that is less."""

AVERAGE = """\
ema_decay : float, default=0.98
        Decay of an exponential moving average of the weights over steps, which is
        what is scored and what answers; 0 for the weights of the last step."""

PATIENCE = """\
As long as all
        answers are one class, a lower loss is better, too. "auto" is 20 where
        `validation_fraction` asks for held-out dialogues, or X marks at least 300
        validation utterances; fewer stop most trainings too early, since the score of
        new dialogues rises to the end, or stays where it is. Otherwise, and with None,
        all epochs are run."""

TRAINING = f"""\
{BATCH_SIZE}
    max_epochs : int, default=60
        Number of epochs at most.
    patience : int, "auto" or None, default="auto"
        Epochs without a better weighted F1 on the validation dialogues after which
        training stops; the best weights are restored. {PATIENCE}"""

VALIDATION = """\
validation_fraction : float or None, default=None
        Share of the dialogues held out for that where X has no row of role
        ``"validation"``. None is a tenth where `patience` is a number, or
        ``head="boost"`` needs dialogues that the network has not learned, and nothing
        otherwise. Nothing is held out, and all epochs are run, where that would be
        fewer than thirty utterances, or there are fewer than ten dialogues.
    callbacks : list or None, default=None
        Callbacks of skorch. A fit works on copies, which share files and connections
        that these hold."""

RUN = """\
device : str, default="auto"
        Where to train; "auto" takes a GPU if there is one.
    checkpoint : str, PathLike or None, default=None
        Folder that keeps the state of training after each epoch, for one fit at a
        time. After a crash the same call of ``fit`` goes on from there and ends with
        the same weights; it needs an integer `random_state`. ``partial_fit`` and a
        fit that is finished leave nothing in it.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last one."""

SHARED = {
    "modalities": MODALITIES,
    "average": AVERAGE,
    "classes": CLASSES,
    "rivals": RIVALS,
    "reading": READING,
    "training": TRAINING,
    "validation": VALIDATION,
    "run": RUN,
}
