"""Graphs over dialogues: edges, relations and layers, on tensors alone."""

from skmerc.graph._edges import N_RELATIONS, speaker_relations, window_edges
from skmerc.graph._layers import RelationalAttention

__all__ = ["N_RELATIONS", "RelationalAttention", "speaker_relations", "window_edges"]
