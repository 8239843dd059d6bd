"""Sphinx configuration."""

import os
import re
import sys
import tomllib
from pathlib import Path

from sphinx.pycode import ModuleAnalyzer

import skmerc

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))
PYPROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))

project = "skmerc"
author = "The skmerc developers"
copyright = f"2026, {author}"
release = version = skmerc.__version__

extensions = [
    "markdown_file",
    "mathml",
    "pictures",
    "tables",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
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
html_domain_indices = False
html_static_path = ["_static"]
html_css_files = ["skmerc.css"]
html_math_renderer = "mathml"
# Their tables need the width.
html_sidebars = dict.fromkeys(("results", "parts", "former_results", "speed"), [])
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "icon_links": [
        {"name": name, "url": url, "icon": "fa-solid fa-code-branch"}
        for name, url in PYPROJECT["project"].get("urls", {}).items()
        if name in ("Repository", "Source")
    ],
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",
    "show_memory": False,
    "capture_repr": ("_repr_html_",),
    "write_computation_times": False,
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skmerc",),
}

# Every reference leads somewhere. Links into the manuals of other libraries need the
# network, so they are asked for; without it their names are plain text.
nitpicky = True
OTHERS = "imblearn|numpy|optuna|pandas|sklearn|torch|torch_geometric"
nitpick_ignore_regex = [(r"py:\w+", rf"({OTHERS})\..+")]
if os.environ.get("SKMERC_DOCS_LINKS"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "imblearn": ("https://imbalanced-learn.org/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "optuna": ("https://optuna.readthedocs.io/en/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "pyg": ("https://pytorch-geometric.readthedocs.io/en/latest", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }


def _skip_generated(app, what, name, thing, skip, options):
    """Leave out the request setters that scikit-learn writes into every class."""
    return True if name.startswith("set_") and name.endswith("_request") else skip


def _without_others(app, what, name, thing, options, lines):
    """Inherited docstrings refer to the glossary and the guide of scikit-learn."""
    role = r":(?:ref|term):`([^`<]*[^`<\s])(?:\s*<[^`]*)?`"
    text = re.sub(r":ref:`sphx_glr_[^`]*`", "its gallery", "\n".join(lines))
    lines[:] = re.sub(role, r"`\1`", text).split("\n")


def _with_comments(app, what, name, thing, options, lines):
    """Describe constants by the comments above them, which stand in private modules."""
    room, _, constant = name.rpartition(".")
    if what != "data":
        return
    for module in [known for known in sys.modules if known.startswith(f"{room}._")]:
        if hasattr(sys.modules[module], constant):
            comments = ModuleAnalyzer.for_module(module).find_attr_docs()
            lines[:] = comments.get(("", constant), lines)


def _find_in_room(app, env, node, contnode):
    """Lead names of the package itself, `skmerc.X`, to the room that describes them."""
    name = node.get("reftarget", "").removeprefix("skmerc.")
    if node.get("refdomain") != "py" or name not in skmerc.__all__:
        return None
    module = getattr(skmerc, name).__module__
    room = ".".join(part for part in module.split(".") if not part.startswith("_"))
    domain = env.domains.python_domain
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", f"{room}.{name}", node, contnode
    )


def setup(app):
    app.connect("autodoc-skip-member", _skip_generated)
    app.connect("autodoc-process-docstring", _without_others)
    app.connect("autodoc-process-docstring", _with_comments)
    app.connect("missing-reference", _find_in_room)
