"""Rules that hold for the project as a whole."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from operator import attrgetter
from pathlib import Path

import pytest
from numpydoc.validate import ERROR_MSGS, validate

import skmerc

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "skmerc"
MODULES = sorted(PACKAGE.rglob("*.py"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

OPTIONAL = (
    "av",
    "librosa",
    "matplotlib",
    "mediapipe",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "opensmile",
    "polars",
    "pooch",
    "pyarrow",
    "safetensors",
    "sentence_transformers",
    "skops",
    "soundfile",
    "transformers",
)


def relative(path):
    return path.relative_to(ROOT).as_posix()


def absolute_name(node, path):
    """The module that a `from ... import` names, with leading dots resolved."""
    if not node.level:
        return node.module
    folder = path.parent.relative_to(ROOT).parts
    parents = folder[: len(folder) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def public_modules():
    names = [
        name
        for _, name, _ in pkgutil.walk_packages(skmerc.__path__, "skmerc.")
        if "._" not in name
    ]
    return ["skmerc", *sorted(names)]


# What torch and torch-geometric call.
HOOKS = ("forward", "message")


def own_methods(cls):
    """The public methods and properties that the class itself writes."""
    for name, member in vars(cls).items():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        written_here = getattr(function, "__qualname__", "") == f"{cls.__name__}.{name}"
        if written_here and not name.startswith("_") and name not in HOOKS:
            yield name


def public_objects():
    """Dotted names of all that is public, each once."""
    seen = {}
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                seen.setdefault(thing, f"{module_name}.{name}")
    for thing, name in list(seen.items()):
        if inspect.isclass(thing):
            yield from (f"{name}.{method}" for method in own_methods(thing))
        yield name


def chosen_checks():
    checks = PYPROJECT["tool"]["numpydoc_validation"]["checks"]
    assert checks[0] == "all"
    return set(ERROR_MSGS) - set(checks)


def imported_at_once(path):
    """Top-level packages that a module imports outside its functions."""
    pending = [ast.parse(path.read_text())]
    while pending:
        for node in ast.iter_child_nodes(pending.pop()):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield absolute_name(node, path).split(".")[0]
            elif not isinstance(node, ast.FunctionDef):
                pending.append(node)


# Libraries that change what begins with an underscore as they like.
PRIVATE_OF = {"imblearn", "numpy", "pandas", "pickle", "scipy", "sklearn", "skorch"}


def private_names(tree):
    """What a module takes of other libraries that is not public, as dotted names."""
    names, found = {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
            names |= {a.asname or a.name.split(".")[0]: a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    for node in ast.walk(tree):
        path = ast.unparse(node).split(".") if isinstance(node, ast.Attribute) else [""]
        if path[0] in names:
            found.append(".".join([names[path[0]], *path[1:]]))
    return {
        name
        for name in found
        if name.split(".")[0] in PRIVATE_OF
        and any(re.match("_[^_]", part) for part in name.split("."))
    }


@pytest.mark.slow
def test_private_names_of_other_libraries_are_used_in_one_place():
    found = {
        relative(path): names
        for path in MODULES
        if (names := private_names(ast.parse(path.read_text())))
    }
    assert found.keys() <= {relative(PACKAGE / "_utils" / "compat.py")}, found


@pytest.mark.parametrize(
    "code",
    [
        "from sklearn.base import BaseEstimator, _fit_context",
        "from sklearn.utils._tags import Tags",
        "import sklearn.utils._mask",
        "import pickle as pkl\nclass Reader(pkl._Unpickler): pass",
        "import pandas as pd\ndef f(X): return X + pd.core._internal.thing",
    ],
)
def test_a_private_name_is_seen(code):
    assert private_names(ast.parse(code))


def test_types_are_shipped_and_rooms_without_are_listed():
    assert (PACKAGE / "py.typed").exists()
    overrides = PYPROJECT["tool"]["mypy"]["overrides"]
    for name in sum((override["module"] for override in overrides), []):
        room = PACKAGE.joinpath(*name.removesuffix(".*").split(".")[1:])
        assert room.is_dir() or room.with_suffix(".py").exists(), name


def test_public_functions_are_annotated():
    bare = []
    for name in public_objects():
        thing = attrgetter(name.removeprefix("skmerc."))(skmerc)
        is_class = inspect.isclass(thing)
        thing = vars(thing).get("__init__") if is_class else thing
        thing = getattr(thing, "fget", thing)
        if not inspect.isfunction(thing):
            continue  # a class without a constructor of its own, or an attribute
        signature = inspect.signature(thing)
        given = [p for p in signature.parameters.values() if p.name != "self"]
        if any(p.annotation is p.empty for p in given):
            bare.append(name)
        if not is_class and signature.return_annotation is signature.empty:
            bare.append(name)
    assert bare == []


def test_no_module_names_a_path_of_some_machine():
    place = re.compile(r"(?<![\w.])/(home|root|tmp|work|Users)\b")
    found = [
        f"{relative(path)}, line {number}: {line.strip()}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if place.search(line)
    ]
    assert found == []


def test_public_modules_list_names_that_exist():
    for name in public_modules():
        module = importlib.import_module(name)
        assert module.__doc__, f"{name} does not say what it is for"
        listed = getattr(module, "__all__", [])
        assert [n for n in listed if not hasattr(module, n)] == [], name


@pytest.mark.slow
def test_public_docstrings_are_complete_numpydoc():
    errors = [
        f"{name}: {code}: {message}"
        for name in sorted(public_objects())
        for code, message in validate(name)["errors"]
        if code in chosen_checks()
    ]
    assert errors == []


def test_a_poor_docstring_is_seen():
    codes = {code for code, _ in validate("textwrap.dedent")["errors"]}
    assert codes & chosen_checks()


def test_modules_load_optional_packages_only_when_used():
    found = {
        relative(path): names
        for path in MODULES
        if (names := set(imported_at_once(path)) & set(OPTIONAL))
    }
    assert found == {}


@pytest.mark.slow
def test_the_package_imports_where_no_optional_one_is_installed():
    code = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n"
        f"for name in {public_modules()!r}: importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True)


@pytest.mark.slow
def test_tables_are_read_split_and_scored_without_loading_torch():
    code = (
        "import sys, skmerc\n"
        "for name in ('datasets', 'exceptions', 'frame', 'metrics', "
        "'model_selection'):\n"
        "    getattr(skmerc, name)\n"
        "assert set(skmerc.__all__) <= set(dir(skmerc))\n"
        "assert not {'torch', 'optuna', 'skorch', 'imblearn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True)


def test_the_top_gives_what_its_rooms_hold():
    for room, names in skmerc._ROOMS.items():
        module = importlib.import_module(f"skmerc.{room}")
        assert getattr(skmerc, room) is module
        assert all(getattr(skmerc, name) is getattr(module, name) for name in names)
    assert sorted(sum(skmerc._ROOMS.values(), ())) == sorted(skmerc.__all__)
    with pytest.raises(AttributeError, match="no attribute 'CberlClassifier'"):
        skmerc.__getattr__("CberlClassifier")


def test_every_estimator_can_be_imported_from_the_top():
    from sklearn.base import BaseEstimator

    missing = []
    for name in public_objects():
        module, _, last = name.rpartition(".")
        thing = getattr(sys.modules.get(module), last, None)
        is_estimator = inspect.isclass(thing) and issubclass(thing, BaseEstimator)
        if is_estimator and getattr(skmerc, last, None) is not thing:
            missing.append(name)
    assert missing == []


def test_the_version_has_one_source():
    assert "version" in PYPROJECT["project"]["dynamic"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "skmerc/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", skmerc.__version__)


def test_the_changelog_opens_with_this_version_or_what_is_unreleased():
    headings = re.findall(
        r"^## \[?([\w.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert headings[0] in ("Unreleased", skmerc.__version__)


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_the_constraints_pin_every_direct_dependency():
    project = PYPROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.split(r"[>=\[]", item)[0] for group in groups for item in group}
    assert names - pins("constraints.txt").keys() - {"skmerc"} == set()


def test_the_oldest_versions_are_those_that_are_promised():
    """No bound is raised or lowered without a run of these versions."""
    project, oldest = PYPROJECT["project"], pins("constraints-oldest.txt")
    items = list(project["dependencies"])
    for name, group in project["optional-dependencies"].items():
        items += [] if name in ("docs", "lint") else group
    promised = {
        re.split(r"[>=\[]", item)[0]: item.split(">=")[1]
        for item in items
        if ">=" in item
    }
    for name in (promised.keys() & oldest.keys()) - {"torch"}:
        bound = promised[name].removesuffix(".0")
        assert f"{oldest[name]}.".startswith(f"{bound}."), name
    assert oldest["torch"] == pins("constraints.txt")["torch"]


def test_the_readme_names_the_commands_that_ci_runs():
    readme, ci = ((ROOT / name).read_text() for name in ("README.md", ".ci/run"))
    install = 'pip install -c constraints.txt -e ".[tests]"'
    assert install in readme
    assert ".venv/bin/pytest" in readme
    assert install in ci.replace('$venv/bin/pip" --quiet', "pip").replace('"pip', "pip")
    assert '"$venv/bin/pytest"' in ci
