"""The directive ``markdown-file`` shows a Markdown file of the repository as a page.

It knows what CHANGELOG.md and CONTRIBUTING.md are written in: headings, paragraphs,
flat lists, tables, fenced code, code spans, emphasis and links.
"""

import re
from pathlib import Path

from sphinx.util.docutils import SphinxDirective

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
TABLE = re.compile(r"(?:^\|.*\|$\n?)+", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`(\w?)")
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
# What only reStructuredText takes for markup: substitutions, and names_ of targets.
SPECIAL = re.compile(r"[\\|]|(?<=\w)_(?!\w)")
PAGES = {"CHANGELOG.md": "changelog", "CONTRIBUTING.md": "contributing"}


def to_rst(text):
    """Return Markdown as reStructuredText."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts.append(_prose(text[end : fence.start()]))
        parts.append(_block(*fence.groups()))
        end = fence.end()
    return "".join([*parts, _prose(text[end:])])


def _block(indent, language, code):
    """Write fenced code."""
    lines = [f"{indent}.. code-block:: {language or 'text'}", ""]
    lines += [f"{indent}    {line.removeprefix(indent)}" for line in code.splitlines()]
    return "\n".join([*lines, ""])


def _prose(text):
    """Write what stands between blocks of code."""
    text = TABLE.sub(lambda table: _table(table[0]), text)
    spans = CODE.split(text)
    for at, plain in enumerate(spans[::3]):
        spans[3 * at] = LINK.sub(_link, SPECIAL.sub(r"\\\g<0>", plain))
    for at in range(1, len(spans), 3):
        code, letter = spans[at : at + 2]
        spans[at : at + 2] = [f"``{code}``", f"\\ {letter}" if letter else ""]
    return HEADING.sub(_heading, "".join(spans))


def _heading(match):
    """Underline a heading by the mark of its level."""
    mark = "=-~"[len(match[1]) - 1]
    return f"{match[2]}\n{mark * len(match[2])}"


def _link(match):
    """Write a link: to a page where the site has one, and not at all to other files."""
    text, target = match.groups()
    if re.match(r"https?:", target):
        return f"`{text} <{target}>`__"
    page = PAGES.get(target)
    if target.startswith("docs/"):
        page = Path(target).stem
    return f":doc:`{text} <{page}>`" if page else text


def _table(text):
    """Write a table as lists of cells."""
    head, _, *rows = text.strip().splitlines()
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        first, *others = (cell.strip() for cell in row.strip("|").split("|"))
        lines += [f"   * - {first}", *(f"     - {cell}" for cell in others)]
    return "\n".join([*lines, ""])


class MarkdownFile(SphinxDirective):
    """Shows the file that the argument names, relative to this one."""

    required_arguments = 1

    def run(self):
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        lines = to_rst(Path(path).read_text(encoding="utf-8")).splitlines()
        self.state_machine.insert_input(lines, path)
        return []


def setup(app):
    app.add_directive("markdown-file", MarkdownFile)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
