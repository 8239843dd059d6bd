"""Estimators that recognise the emotions of whole dialogues."""

from skmerc.recognition._cberl import CBERLClassifier
from skmerc.recognition._cberl_pipeline import make_cberl
from skmerc.recognition._dialoguegcn import DialogueGCNClassifier
from skmerc.recognition._joyful import JoyfulClassifier
from skmerc.recognition._joyful_regressor import JoyfulRegressor
from skmerc.recognition._utterance import UtteranceClassifier

__all__ = [
    "CBERLClassifier",
    "DialogueGCNClassifier",
    "JoyfulClassifier",
    "JoyfulRegressor",
    "UtteranceClassifier",
    "make_cberl",
]
