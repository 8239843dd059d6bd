"""Saving models to files from which no code is run, and exporting their networks."""

from skmerc.persistence._export import export_model
from skmerc.persistence._save import load_model, save_model

__all__ = ["export_model", "load_model", "save_model"]
