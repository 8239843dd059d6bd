"""Warnings and errors of skmerc, to be silenced or caught by name."""

__all__ = [
    "ConstantFeatureWarning",
    "DamagedCheckpointWarning",
    "DivergenceError",
    "DuplicateTurnWarning",
    "IdFeatureWarning",
    "InterruptedTrainingWarning",
    "MissingModalityWarning",
    "NoDialogueWarning",
    "NonCommercialLicenseWarning",
    "OtherThreadsWarning",
    "OtherVersionWarning",
    "PartialMissingWarning",
    "SplitDialogueWarning",
    "TextEncodingWarning",
    "TextTruncationWarning",
    "UnreadSpeakerWarning",
    "UnsafePickleError",
    "UnreadColumnWarning",
    "UnseenModalityWarning",
    "UntidyTableWarning",
    "UntrustedTypeError",
]


class ConstantFeatureWarning(UserWarning):
    """Features vary by too little for float32, and are read as constant."""


class DamagedCheckpointWarning(UserWarning):
    """A checkpoint of training is not what was written; an older one is used."""


class DivergenceError(FloatingPointError):
    """Training left the finite numbers; the estimator is what it was before."""


class DuplicateTurnWarning(UserWarning):
    """Several utterances of a dialogue claim the same turn."""


class IdFeatureWarning(UserWarning):
    """A column among the features is named like an id, and is learned from."""


class InterruptedTrainingWarning(UserWarning):
    """Training was broken off; the model is what it had learned until then."""


class MissingModalityWarning(UserWarning):
    """A modality is missing in some utterances: their rows of it are NaN."""


class NoDialogueWarning(UserWarning):
    """Dialogues are not told, or have one turn each, so that context is unused."""


class NonCommercialLicenseWarning(UserWarning):
    """An optional package may not be used commercially."""


class OtherThreadsWarning(UserWarning):
    """A fit that was interrupted goes on with another number of threads."""


class OtherVersionWarning(UserWarning):
    """A saved model was written by another version of skmerc."""


class PartialMissingWarning(UserWarning):
    """Single cells of a present modality are missing."""


class SplitDialogueWarning(UserWarning):
    """Dialogues look as if their rows had been split between two tables."""


class TextEncodingWarning(UserWarning):
    """Texts came as bytes or held control characters; what was done is said."""


class TextTruncationWarning(UserWarning):
    """Texts are longer than a model reads; their ends are left out."""


class UnreadSpeakerWarning(UserWarning):
    """Texts look as if they named their speakers, and were left as they are."""


class UnsafePickleError(ValueError):
    """A pickle asks for more than data; none of what it asks for has run."""


class UnreadColumnWarning(UserWarning):
    """Columns look like keys or labels by their names, and were not read."""


class UnseenModalityWarning(UserWarning):
    """X has values in columns where no training row had one; they are not read."""


class UntidyTableWarning(UserWarning):
    """A table holds what looks like mistakes, such as repeated rows; they stay."""


class UntrustedTypeError(ValueError):
    """A saved model asks for types that are not trusted; nothing of it has run."""
