"""Over-samplers for tables of utterances."""

from skmerc.sampling._dialogue import DialogueSampler
from skmerc.sampling._gan import MultimodalGANSampler
from skmerc.sampling._keyed import up_to_mean

__all__ = ["DialogueSampler", "MultimodalGANSampler", "up_to_mean"]
