"""Runs an example for a few passes, which is enough to see that it runs.

python quickly.py depth.py --data features.npz
python quickly.py plot_joyful.py DATA='"features.npz"' SEED=1
python quickly.py plot_joyful.ipynb plot_tuning.ipynb N_TRIALS=2

Scripts take arguments. Those of the gallery have constants instead, which are set here
to expressions of Python. The cells of a notebook run as they do in Jupyter: in one
namespace, without the folder of the examples, and with the arguments of the kernel.
"""

import ast
import json
import re
import runpy
import sys
import tempfile
from pathlib import Path

import skmerc

# What is trained so where a script names no number of its own.
FEW = {
    skmerc.CBERLClassifier: {"max_epochs": 2},
    skmerc.DJVAEFuser: {"max_epochs": 2},
    skmerc.JoyfulClassifier: {"max_epochs": 2},
    skmerc.JoyfulRegressor: {"max_epochs": 2},
    skmerc.MultimodalGANSampler: {"n_steps": 10},
}


def with_constants(source, constants):
    """Return a source with other values of its constants."""
    tree = ast.parse(source)
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            name = ast.unparse(statement.targets[0])
            value = constants.get(name, ast.unparse(statement.value))
            statement.value = ast.parse(value, mode="eval").body
    return ast.unparse(tree)


def run_script(path, constants):
    """Run a script as ``python path`` does."""
    sys.path[0] = str(path.parent)
    with tempfile.TemporaryDirectory() as folder:
        if constants:
            source = with_constants(path.read_text(), constants)
            path = Path(folder, path.name)
            path.write_text(source)
        runpy.run_path(str(path), run_name="__main__")


def run_notebook(path, constants):
    """Run the cells of code in their order."""
    sys.path[0] = ""
    sys.argv = ["ipykernel_launcher.py", "-f", "kernel.json"]
    names = {"__name__": "__main__"}
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(with_constants("".join(cell["source"]), constants), names)


if __name__ == "__main__":
    for kind, settings in FEW.items():
        kind.__init__.__kwdefaults__.update(settings)
    given = [found for found in sys.argv[1:] if re.match(r"[A-Z_]+=", found)]
    sys.argv = [found for found in sys.argv[1:] if found not in given]
    constants = dict(constant.split("=", 1) for constant in given)
    if sys.argv[0].endswith(".ipynb"):
        for path in sys.argv.copy():
            run_notebook(Path(path), constants)
    else:
        run_script(Path(sys.argv[0]), constants)
