"""Graphs over dialogues: edges, relations and layers, on tensors alone."""

from skmerc.graph._augment import add_distant_edges, mask_features, perturb_edges
from skmerc.graph._edges import (
    N_RELATIONS,
    speaker_pairs,
    speaker_relations,
    window_edges,
)
from skmerc.graph._layers import (
    NeighborMean,
    RelationalAttention,
    RelationalConvolution,
)
from skmerc.graph._proximity import distant_pairs, katz_scores
from skmerc.graph._to_pyg import to_pyg

__all__ = [
    "N_RELATIONS",
    "NeighborMean",
    "RelationalAttention",
    "RelationalConvolution",
    "add_distant_edges",
    "distant_pairs",
    "katz_scores",
    "mask_features",
    "perturb_edges",
    "speaker_pairs",
    "speaker_relations",
    "to_pyg",
    "window_edges",
]
