"""Kinds of files, read with care: none can be trusted."""
