"""Write an ``.npz`` table from the files of a corpus, as the studies read it.

    python examples/benchmark/make_table.py meld:MELD meld_text.npz
    python examples/benchmark/make_table.py iemocap:IEMOCAP_features.pkl iemocap.npz
    python examples/benchmark/make_table.py conversations:calls.jsonl calls.npz

What has features keeps them; words without features are embedded once, so that studies
do not embed them again (``--embed`` names the sentence model).
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmark import corpora
from skmerc.frame import read_keys


def arrays_of(table):
    """Return the arrays of a table, as :func:`skmerc.datasets.load_table` reads."""
    keys = read_keys(table.X)
    arrays = {
        name.removeprefix("dialogue__").replace("id", "dialogue"): column.to_numpy()
        for name, column in keys.items()
    }
    arrays = {n: a.astype(str) if a.dtype.kind == "O" else a for n, a in arrays.items()}
    for name in table.modalities:
        block = table.X.filter(regex=f"^{name}__").to_numpy(np.float32)
        missing = np.isnan(block).all(axis=1)
        arrays[name] = np.where(missing[:, None], 0, block)
        if missing.any():
            arrays[f"{name}_present"] = ~missing
    if (table.split != "").any():
        arrays["split"] = table.split.astype(str)
    if table.y.dtype.kind == "f":
        return arrays | {"score": table.y}
    names, label = np.unique(table.y, return_inverse=True)
    return arrays | {"label": label.astype(np.int16), "label_names": names}


def main(given=None):
    """Read and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a corpus, such as meld:FOLDER")
    parser.add_argument("table", type=Path, help="the .npz file to write")
    parser.add_argument("--modalities", nargs="+", help="by default all")
    parser.add_argument("--label", help="which labels to read")
    parser.add_argument("--features", help="a feature file beside annotations")
    parser.add_argument("--embed", help="the sentence model for words")
    arguments = parser.parse_args(given)
    names = ("modalities", "label", "features", "embed")
    table = corpora.read(arguments.data, **{n: getattr(arguments, n) for n in names})
    arrays = arrays_of(table)
    with arguments.table.open("wb") as file:
        np.savez_compressed(file, **arrays)
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    print(f"{arguments.table}: {shapes}")


if __name__ == "__main__":
    main()
