"""Conversations from tables that users have made."""
