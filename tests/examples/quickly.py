"""Runs a script of the examples for a few passes, which is enough to see that it runs.

python quickly.py plot_joyful.py --data features.npz
"""

import runpy
import sys
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

if __name__ == "__main__":
    for kind, settings in FEW.items():
        kind.__init__.__kwdefaults__.update(settings)
    sys.argv = sys.argv[1:]
    script = sys.argv[0]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")
