"""A process that may take little memory beyond what it has when it is ready.

python capped_worker.py TRAINING_FOLDER HELD_OUT_FILE MIB PASSES
"""

import json
import resource
import sys
from pathlib import Path

import torch

from skmerc import CBERLClassifier
from skmerc.datasets import iter_table, load_table

CLASSES = ["anger", "joy", "neutral", "sadness"]
ROWS = 2000


def small_model():
    return CBERLClassifier(hidden_size=8, heads=1, random_state=0)


def teach(model, folder, passes):
    for _ in range(passes):
        for X, y in iter_table(folder, rows=ROWS):
            model.partial_fit(X, y, classes=CLASSES)
    return model


def cap(mib):
    """Let the data of this process grow by no more from now on."""
    with open("/proc/self/status") as lines:
        now = next(int(line.split()[1]) for line in lines if line.startswith("VmData"))
    limit = (now + mib * 1024) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def load_whole(folder):
    try:
        return f"{len([load_table(file) for file in Path(folder).rglob('*.parquet')])}"
    except MemoryError:
        return "MemoryError"


if __name__ == "__main__":
    folder, held_out, mib, passes = sys.argv[1:]
    torch.set_num_threads(1)
    X, y = load_table(held_out)
    small_model().partial_fit(X, y, classes=CLASSES)  # loads what is loaded once
    cap(int(mib))
    model = teach(small_model(), folder, int(passes))
    found = {"accuracy": model.score(X, y), "calls": model.n_iter_}
    print(json.dumps(found | {"whole": load_whole(folder)}))
