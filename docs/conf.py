"""Sphinx configuration."""

import os
from pathlib import Path

import skmerc

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"

project = "skmerc"
author = "The skmerc developers"
copyright = f"2026, {author}"
release = version = skmerc.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]

autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = f"skmerc {release}"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}

# Links into the manuals of other libraries need the network, so they are asked for.
if os.environ.get("SKMERC_DOCS_LINKS"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "imblearn": ("https://imbalanced-learn.org/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }

# A checkout without examples has no gallery.
HAS_GALLERY = (EXAMPLES / "GALLERY_HEADER.rst").exists()
GALLERY_ENTRY = """
.. toctree::
   :hidden:

   auto_examples/index
"""

if HAS_GALLERY:
    extensions.append("sphinx_gallery.gen_gallery")
    sphinx_gallery_conf = {
        "examples_dirs": str(EXAMPLES),
        "gallery_dirs": "auto_examples",
        "filename_pattern": r"/plot_",
        "ignore_pattern": r"^(?!plot_)",
        "show_memory": False,
    }


def _add_gallery(app, docname, content):
    if docname == "index" and HAS_GALLERY:
        content[0] += GALLERY_ENTRY


def _skip_generated(app, what, name, thing, skip, options):
    """Leave out the request setters that scikit-learn writes into every class."""
    return True if name.startswith("set_") and name.endswith("_request") else skip


def _without_terms(app, what, name, thing, options, lines):
    """Inherited docstrings name terms of scikit-learn's glossary, which is not ours."""
    lines[:] = [line.replace(":term:`", "`") for line in lines]


def setup(app):
    app.connect("autodoc-skip-member", _skip_generated)
    app.connect("autodoc-process-docstring", _without_terms)
    app.connect("source-read", _add_gallery)
    if not HAS_GALLERY:  # so that `-D plot_gallery=0` is always a known setting
        app.add_config_value("plot_gallery", "True", "")
