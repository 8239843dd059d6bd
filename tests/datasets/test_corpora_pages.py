"""The page of each corpus: what a reader tells, and what the documentation shows."""

import re
from pathlib import Path

import pytest

from skmerc.datasets import corpora
from skmerc.datasets.corpora import _loading

PAGES = sorted(Path(corpora.__file__).with_name("descr").glob("*.rst"))
DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_each_corpus_has_a_page_and_the_documentation_shows_it():
    names = [path.stem for path in PAGES]
    assert names == "dailydialog emorynlp iemocap meld mosei mosi".split()
    shown = (DOCS / "corpora.rst").read_text()
    assert [name for name in names if f"descr/{name}.rst" not in shown] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_tells_how_to_get_the_corpus_whom_to_cite_and_its_license(path):
    text, terms = _loading._describe(path.stem)
    sections = re.findall(r"^(.+)\n~{4,}$", text, re.MULTILINE)
    assert sections == ["What to know", "How to get it", "Citation", "License"]
    assert terms
    assert text.rstrip().endswith(terms)
