"""Pickles, read without running what they ask for."""
