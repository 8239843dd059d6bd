"""Readers of public corpora, one or a few modules for each."""
