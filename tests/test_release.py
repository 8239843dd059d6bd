"""What an index, a package manager and a citation show of the project agrees."""

import re
import tomllib
from pathlib import Path

import pytest

import skmerc
from skmerc._utils import optional

yaml = pytest.importorskip("yaml", reason="needs PyYAML, which Optuna brings")

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()
HOME = PROJECT["urls"]["Homepage"]
ON_CONDA = {"torch": "pytorch", "torch-geometric": "pytorch_geometric"}


def test_links_and_pictures_of_the_readme_work_on_an_index():
    inline = re.findall(r"\]\(([^)\s]+)", README)
    references = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", README, re.MULTILINE))
    for target in [*inline, *references.values()]:
        assert target.startswith(("https://", "#")), target
    raw = HOME.replace("https://github.com", "https://raw.githubusercontent.com")
    for start in (f"{HOME}/blob/main/", f"{raw}/main/"):
        for target in (*inline, *references.values()):
            path = target.partition(start)[2]
            assert not path or (ROOT / path).is_file(), target


def test_files_that_the_readme_names_in_brackets_are_links():
    named = set(re.findall(r"\[((?:docs/)?[\w./]+\.(?:rst|md|cff))\](?![:(])", README))
    assert named
    for name in named:
        assert f"[{name}]: {HOME}/blob/main/{name}\n" in README, name


def test_the_citation_is_of_this_version_and_of_both_papers():
    cited = yaml.safe_load((ROOT / "docs" / "CITATION.cff").read_text())
    assert cited["version"] == skmerc.__version__
    assert cited["repository-code"] == HOME
    assert cited["license"] == PROJECT["license"]
    assert [paper["notes"] for paper in cited["references"]] == ["CBERL", "JOYFUL"]
    for paper in cited["references"]:
        assert f"https://doi.org/{paper['doi']}" in README


def test_the_recipe_asks_for_what_pyproject_asks_for():
    recipe = yaml.safe_load((ROOT / ".conda" / "recipe.yaml").read_text())
    assert recipe["context"]["version"] == skmerc.__version__
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["persistence"], *extras["text"]]
    pairs = [re.split("(?=>=)", item) for item in wanted]
    named = {f"{ON_CONDA.get(name, name)} {bound}" for name, bound in pairs}
    assert set(recipe["requirements"]["run"][1:]) == named
    assert recipe["about"]["license"] == PROJECT["license"]


def test_extras_are_named_in_one_form_and_exist():
    assert optional._PURPOSES.keys() <= PROJECT["optional-dependencies"].keys()
    spelled = re.compile(r"pip install[^\n]*skmerc\[")
    right = re.compile(r"pip install 'skmerc\[[\w,]+\]'")
    files = [*ROOT.glob("skmerc/**/*.py"), *ROOT.glob("docs/*.rst"), ROOT / "README.md"]
    for path in files:
        text = path.read_text()
        for extras in re.findall(r"'skmerc\[([\w,]+)\]'", text):
            assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
        named = len(spelled.findall(text))
        in_helper = path.name == "optional.py"
        assert named == len(right.findall(text)) + in_helper, path


def test_a_missing_package_names_its_extra():
    for name in optional._PURPOSES:
        with pytest.raises(ImportError, match=rf"pip install 'skmerc\[{name}\]'"):
            optional.need(name, "no_such_package_at_all")
