"""Conversations that still go on, answered turn by turn."""

from skmerc.live._conversation import LiveConversation, LiveTurn

__all__ = ["LiveConversation", "LiveTurn"]
