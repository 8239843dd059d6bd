"""Conversations to learn from: generated, or read from files."""

from skmerc.datasets._conversations import make_conversations
from skmerc.datasets._table import load_table

__all__ = ["load_table", "make_conversations"]
