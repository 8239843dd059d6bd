"""Formulas as MathML, which browsers draw themselves: no script, font or network."""

import re
from html import unescape
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
MATHML = "http://www.w3.org/1998/Math/MathML"
ElementTree.register_namespace("", MATHML)


def index_behind_accents(code):
    r"""Put the index of ``\hat x_m`` behind the letter; docutils puts it below."""
    # XML knows none of the names of HTML, such as ``&nbsp;``, but these.
    code = re.sub(r"&(?!lt;|gt;|amp;)\w+;", lambda name: unescape(name[0]), code)
    formula = ElementTree.fromstring(code)
    for script in formula.iter(f"{{{MATHML}}}munderover"):
        base, index, above = script
        if base.tag.endswith("}mo") or not above.tag.endswith("}mo"):
            continue
        accented = ElementTree.Element(f"{{{MATHML}}}mover", accent="true")
        accented.extend([base, above])
        script.tag, script[:] = f"{{{MATHML}}}msub", [accented, index]
    return ElementTree.tostring(formula, encoding="unicode")


def add_formula(translator, node):
    """Write one formula, inline or in a block of its own."""
    code = node.astext()
    try:
        mathml = tex2mathml(code, as_block=isinstance(node, nodes.math_block))
        code = index_behind_accents(mathml)
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
