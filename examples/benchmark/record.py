"""What is known of the runs of a study: one line of a CSV file each."""

import csv
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pandas as pd

import skmerc

IDENTITY = (
    "corpus modalities split fold model seed dialogues epochs"
).split()  # fmt: skip
"""What tells runs of a study apart; a finished one is never repeated."""
SCORES = (
    "weighted_f1 macro_f1 minority_f1 balanced_accuracy accuracy ece shift_f1 "
    "mae correlation"
).split()
COLUMNS = [
    *IDENTITY,
    *("status", *SCORES, "per_class", "extra"),
    *("n_train", "n_test", "fit_s", "predict_s", "peak_mb"),
    *("date", "skmerc", "commit", "torch", "sklearn", "python", "error"),
]
ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"


class Record:
    """The file of a study, to which lines are appended whole.

    Parameters
    ----------
    folder : path
        Where ``<study>.csv`` is, and the folder ``predictions``.
    study : str
        The study.
    """

    def __init__(self, folder, study):
        self.folder, self.study = Path(folder), study
        self.path = self.folder / f"{study}.csv"

    def mend(self):
        """Take a half-written last line away, which a killed run has left."""
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            told = f"{self.path}: a line was half written and is dropped."
            print(told, file=sys.stderr)
            with self.path.open("r+b") as file:
                file.truncate(len(whole))

    def finished(self):
        """Identities of the runs that ended well."""
        if not self.path.exists() or not self.path.stat().st_size:
            return set()
        rows = pd.read_csv(self.path, dtype=str, keep_default_na=False)
        if list(rows) != COLUMNS:
            raise SystemExit(f"{self.path} has other columns; move it away.")
        rows = rows[rows["status"] == "ok"]
        return set(rows[IDENTITY].itertuples(index=False, name=None))

    def append(self, row):
        """Append the line of a run in one write, and the header before the first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        if not self.path.exists() or not self.path.stat().st_size:
            writer.writeheader()
        writer.writerow({name: as_cell(row.get(name)) for name in COLUMNS})
        line = text.getvalue().encode()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)

    def predictions(self, identity):
        """Return where the answers of a run are kept; git ignores them."""
        name = hashlib.sha1("\0".join(identity).encode()).hexdigest()[:16]
        return self.folder / "predictions" / self.study / f"{name}.npz"


def read(path):
    """Read the runs of a study that ended well."""
    rows = pd.read_csv(path, keep_default_na=False, na_values={c: [""] for c in SCORES})
    rows = rows[rows["status"] == "ok"].reset_index(drop=True)
    for name in ("per_class", "extra"):
        rows[name] = [json.loads(cell) if cell else {} for cell in rows[name]]
    return rows


def as_cell(value):
    """Write a value of a row."""
    if value is None or value != value:
        return ""
    if isinstance(value, dict):
        rounded = {k: float(f"{v:.6g}") for k, v in value.items()}
        return json.dumps(rounded, ensure_ascii=False)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def identity_of(job):
    """What tells a run apart, as it stands in the file."""
    return tuple(as_cell(job[name]) for name in IDENTITY)


def surroundings():
    """When, and with which versions."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "skmerc": skmerc.__version__,
        "commit": commit(),
        "torch": version("torch"),
        "sklearn": version("scikit-learn"),
        "python": platform.python_version(),
    }


def commit():
    """Return the commit, with a + where files have changed since; "" outside git."""
    ask = ["git", "-C", str(ROOT)]
    told = {"capture_output": True, "text": True}
    try:
        name = subprocess.run([*ask, "rev-parse", "--short", "HEAD"], **told).stdout
        paths = ["skmerc", "examples/benchmark"]
        changed = subprocess.run([*ask, "status", "--porcelain", *paths], **told).stdout
    except FileNotFoundError:
        return ""
    return name.strip() + "+" * bool(changed.strip())
