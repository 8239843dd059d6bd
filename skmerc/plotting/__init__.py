"""Pictures of conversations, tables, training and answers, in scikit-learn's form.

A display holds what it draws. ``from_estimator`` and its like compute that and draw it
at once, ``plot`` draws it again, into axes of yours if you give some. Emotions differ
in colour *and* in hatching or marker, so that they can be told apart without colours.
Drawing needs matplotlib: ``pip install 'skmerc[plot]'``.
"""

from skmerc.plotting._balance import ClassBalanceDisplay
from skmerc.plotting._confusion import DialogueConfusionMatrixDisplay
from skmerc.plotting._conversation import ConversationDisplay
from skmerc.plotting._explanation import ExplanationDisplay
from skmerc.plotting._loss import LossDisplay
from skmerc.plotting._modality import ModalityDisplay
from skmerc.plotting._quality import SampleQualityDisplay
from skmerc.plotting._reliability import ReliabilityDisplay
from skmerc.plotting._transitions import EmotionTransitionDisplay

__all__ = [
    "ClassBalanceDisplay",
    "ConversationDisplay",
    "DialogueConfusionMatrixDisplay",
    "EmotionTransitionDisplay",
    "ExplanationDisplay",
    "LossDisplay",
    "ModalityDisplay",
    "ReliabilityDisplay",
    "SampleQualityDisplay",
]
