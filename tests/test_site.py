"""What the site adds to Sphinx."""

import re
import runpy

import pytest
from docutils import nodes
from docutils.core import publish_doctree

TEXT = """# A heading

See [the page](https://example.org/a_b) of `skmerc.X_`, a **bold** word, names_ with
underscores, and `x`s.

- one | two
- `--flag
  value`

## A table

| what | how |
|---|---|
| slow ones | `pytest -m slow` |

```bash
echo `date` [a](b)
```
"""


@pytest.fixture(scope="module")
def to_rst(pytestconfig):
    path = pytestconfig.rootpath / "docs" / "_ext" / "markdown_file.py"
    return runpy.run_path(str(path))["to_rst"]


def test_a_markdown_file_becomes_a_page(to_rst):
    tree = publish_doctree(to_rst(TEXT), settings_overrides={"report_level": 1})
    assert not list(tree.findall(nodes.system_message))
    assert [title.astext() for title in tree.findall(nodes.title)] == [
        "A heading",
        "A table",
    ]
    (link,) = tree.findall(nodes.reference)
    assert link["refuri"] == "https://example.org/a_b"
    literals = [" ".join(code.astext().split()) for code in tree.findall(nodes.literal)]
    assert literals == ["skmerc.X_", "x", "--flag value", "pytest -m slow"]
    assert "names_ with\nunderscores, and xs." in tree.astext()
    assert [entry.astext() for entry in tree.findall(nodes.entry)] == [
        "what",
        "how",
        "slow ones",
        "pytest -m slow",
    ]
    (block,) = tree.findall(nodes.literal_block)
    assert block.astext() == "echo `date` [a](b)"


def test_a_link_leads_to_a_page_or_nowhere(to_rst):
    text = to_rst("[X](docs/guide_x.rst), [changes](CHANGELOG.md), [this](LICENSE)")
    assert text == ":doc:`X <guide_x>`, :doc:`changes <changelog>`, this"


LIST_OF_INITIALS = r"^.*\.\. \[\d+\] [A-Z]\. .*$(?!\n {3,}[^ \n.])"
"""A reference of one line that begins with an initial: to Sphinx a numbered list."""


def test_references_begin_with_no_numbered_list(pytestconfig):
    for path in (pytestconfig.rootpath / "skmerc").rglob("*.py"):
        text = path.read_text()
        assert not re.findall(LIST_OF_INITIALS, text, re.MULTILINE), path
    for text, number in (
        (".. [1] A. Author, 2020", 1),
        (".. [1] A. Author,\n   20", 0),
    ):
        tree = publish_doctree(f"{text}\n\nWith [1]_.")
        assert len(list(tree.findall(nodes.enumerated_list))) == number
        assert len(re.findall(LIST_OF_INITIALS, text, re.MULTILINE)) == number


def test_summaries_in_tables_of_names_are_whole_sentences(pytestconfig):
    """autosummary ends them at the first full stop that a blank follows."""
    for path in (pytestconfig.rootpath / "skmerc").rglob("*.py"):
        heads = re.findall(r'^ *r?"""(.+)$', path.read_text(), re.MULTILINE)
        cut = [head for head in heads if re.search(r"\b(Eqs?|al|cf|vs)\. ", head)]
        assert cut == [], path


@pytest.mark.parametrize(
    ("formula", "tags"),
    [
        (r"\hat x_m", ["msub", "mover", "mi", "mo", "mi"]),
        (r"\hat x_m^2", ["msup", "msub", "mover", "mi", "mo", "mi", "mn"]),
        (r"\hat z^g", ["msup", "mover", "mi", "mo", "mi"]),
        (r"\overline{\sum_{i=1}^n}", ["mover", "munderover"]),
    ],
)
def test_indices_stand_behind_letters_with_accents(pytestconfig, formula, tags):
    from docutils.utils.math.latex2mathml import tex2mathml

    path = pytestconfig.rootpath / "docs" / "_ext" / "mathml.py"
    index_behind_accents = runpy.run_path(str(path))["index_behind_accents"]
    written = index_behind_accents(tex2mathml(formula, as_block=True))
    assert re.findall(r"<(\w+)", written)[1:][: len(tags)] == tags
    named = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><mo>&nbsp;&lt;</mo></math>'
    )
    assert "<mo>\N{NO-BREAK SPACE}&lt;</mo>" in index_behind_accents(named)
