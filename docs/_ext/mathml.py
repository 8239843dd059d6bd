"""Formulas as MathML, which browsers draw themselves: no script, font or network."""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def add_formula(translator, node):
    """Write one formula, inline or in a block of its own."""
    code = node.astext()
    try:
        code = tex2mathml(code, as_block=isinstance(node, nodes.math_block))
    except MathError as error:
        LOGGER.warning("%s in the formula %s", error, code, location=node)
        code = translator.encode(code)
    if isinstance(node, nodes.math_block):
        code = f'<div class="math">{code}</div>\n'
    translator.body.append(code)
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(add_formula, None),
        block_renderers=(add_formula, None),
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
