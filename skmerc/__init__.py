"""Emotion recognition in conversations as ordinary scikit-learn estimators."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skmerc.calibration import (
        DialogueCalibratedClassifier,
        DialogueConformalClassifier,
    )
    from skmerc.config import config_context, get_config, set_config
    from skmerc.ensemble import (
        DialogueStackingClassifier,
        DialogueVotingClassifier,
        FocalAdaBoostClassifier,
    )
    from skmerc.features import (
        AudioFunctionals,
        FaceFeatures,
        FineTunedTextEmbedder,
        TextEmbedder,
        VideoFunctionals,
    )
    from skmerc.fusion import DJVAEFuser
    from skmerc.live import LiveConversation
    from skmerc.recognition import (
        CBERLClassifier,
        DialogueGCNClassifier,
        JoyfulClassifier,
        JoyfulRegressor,
        UtteranceClassifier,
    )
    from skmerc.recognizer import EmotionRecognizer
    from skmerc.sampling import DialogueSampler, MultimodalGANSampler

__version__ = "0.1.0"

__all__ = [
    "AudioFunctionals",
    "CBERLClassifier",
    "DJVAEFuser",
    "DialogueCalibratedClassifier",
    "DialogueConformalClassifier",
    "DialogueGCNClassifier",
    "DialogueSampler",
    "DialogueStackingClassifier",
    "DialogueVotingClassifier",
    "EmotionRecognizer",
    "FaceFeatures",
    "FineTunedTextEmbedder",
    "FocalAdaBoostClassifier",
    "JoyfulClassifier",
    "JoyfulRegressor",
    "LiveConversation",
    "MultimodalGANSampler",
    "TextEmbedder",
    "UtteranceClassifier",
    "VideoFunctionals",
    "config_context",
    "get_config",
    "set_config",
]

_ROOMS: dict[str, tuple[str, ...]] = {
    "calibration": ("DialogueCalibratedClassifier", "DialogueConformalClassifier"),
    "config": ("config_context", "get_config", "set_config"),
    "datasets": (),
    "ensemble": (
        "DialogueStackingClassifier",
        "DialogueVotingClassifier",
        "FocalAdaBoostClassifier",
    ),
    "exceptions": (),
    "features": (
        "AudioFunctionals",
        "FaceFeatures",
        "FineTunedTextEmbedder",
        "TextEmbedder",
        "VideoFunctionals",
    ),
    "frame": (),
    "fusion": ("DJVAEFuser",),
    "graph": (),
    "inspection": (),
    "live": ("LiveConversation",),
    "losses": (),
    "metrics": (),
    "model_selection": (),
    "nn": (),
    "persistence": (),
    "plotting": (),
    "recognition": (
        "CBERLClassifier",
        "DialogueGCNClassifier",
        "JoyfulClassifier",
        "JoyfulRegressor",
        "UtteranceClassifier",
    ),
    "recognizer": ("EmotionRecognizer",),
    "sampling": ("DialogueSampler", "MultimodalGANSampler"),
    "tuning": (),
    "utils": (),
}
"""Public modules, and what each of them gives to this one when it is first asked for.

Tables can be read and split without the seconds that torch takes to be imported.
"""


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name == room or name in names:
            module = import_module(f"skmerc.{room}")
            return module if name == room else getattr(module, name)
    raise AttributeError(f"module 'skmerc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
