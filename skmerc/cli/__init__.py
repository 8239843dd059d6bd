"""The command ``skmerc``: check a table, fit, predict and report from a shell."""

from skmerc.cli._main import main

__all__ = ["main"]
