"""Measure how fast everything is, and how much memory it takes.

    python examples/benchmark/speed.py            # about ten minutes on a quiet machine
    python examples/benchmark/speed.py --large    # tables of a million utterances, too
    python examples/benchmark/speed.py --only "prediction" "epochs: fuser"

Each measurement is a process of its own, on one thread where it does not say two, and
a line of ``results/speed.csv``, in the place of an older one. ``report.py --update``
writes the tables of ``docs/speed.rst`` anew, where goals stand beside the figures.
CPU seconds count: they hardly change where other work runs beside.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmark.record import RESULTS, as_cell, surroundings

TIMED = Path(__file__).with_name("timed.py")
KEYS = ["table", "name", "n"]
FIGURES = ["threads", "cpu_s", "bare_s", "wall_s", "peak_mb", "grown_mb"]
COLUMNS = [*KEYS, *FIGURES, *"date skmerc commit torch sklearn python".split()]
IEMOCAP, NARROW = 7399, 20_000
SIZES, LARGE = [1_000, 10_000, 100_000], 1_000_000
EXPONENT, RATIO = 1.05, 1.15


@dataclass(frozen=True)
class Measurement:
    """What is measured.

    Parameters
    ----------
    table, name : str
        The table of the page, and the row.
    n : int
        Number of utterances.
    work : str
        A function of ``timed.py``.
    arguments : dict
        What it is given.
    threads : int, default=1
        How many compute.
    goals : dict
        At most, or of answers a second at least, by the column that they stand beside.
    theirs : dict
        What the published code takes.
    """

    table: str
    name: str
    n: int
    work: str
    arguments: dict = field(default_factory=dict)
    threads: int = 1
    goals: dict = field(default_factory=dict)
    theirs: dict = field(default_factory=dict)

    @property
    def key(self):
        """What tells it from others."""
        return self.table, self.name, self.n


CPU, GB, CLOCK = "CPU s", "peak GB", "s by the clock"
OF_CPU, OF_CLOCK = "utterances a second of CPU", "utterances a second by the clock"
STAGES = {
    "read the table": ("reading", {}),
    "build the graph, window 10": ("graph", {}),
    "generator, one pass, and what it writes": ("epoch", {"kind": "generator"}),
    "fuser, one epoch": ("epoch", {"kind": "fuser"}),
    "CBERL, one epoch": ("epoch", {"kind": "CBERL"}),
    "JOYFUL, one epoch": ("epoch", {"kind": "JOYFUL"}),
    "CBERL, all answers": ("answers", {"kind": "CBERL"}),
    "CBERL, all answers, in one dialogue": (
        "answers",
        {"kind": "CBERL", "one_dialogue": True},
    ),
    "JOYFUL, all answers": ("answers", {"kind": "JOYFUL"}),
}


def measurements(large=False):
    """List everything; what is large takes a quarter of an hour more, and 8 GB."""
    peers = [
        Measurement(
            "peers", "JOYFUL, released widths", IEMOCAP, "released_epoch",
            goals={CPU: 20, GB: 2.0}, theirs={CPU: 141, GB: 11.0},
        ),
        Measurement(
            "peers", "CBERL, DialogueGCN's graph", IEMOCAP, "graph_epoch",
            goals={CPU: 1.5}, theirs={CPU: 39.9, GB: 2.2},
        ),
    ]  # fmt: skip
    kinds = ("generator", "fuser", "CBERL", "JOYFUL")
    epochs = [
        Measurement("epochs", kind, IEMOCAP, "epoch", {"kind": kind}) for kind in kinds
    ]
    bare = [
        Measurement(
            "bare", kind, IEMOCAP, "beside_bare", {"kind": kind}, goals={"ratio": RATIO}
        )
        for kind in kinds
    ]
    edges = [
        Measurement("edges", name, n, "graph", {"n": n, "relations": both}, goals=goal)
        for name, n, both, goal in (
            ("window edges", 645_180, False, {CPU: 2}),
            ("window edges and relations", 645_180, True, {}),
        )
    ]
    prediction = [
        Measurement(
            "prediction",
            f"{kind}, {columns} columns" + ", two threads" * (threads == 2),
            NARROW,
            "answers",
            {"kind": kind, "n": NARROW, "columns": columns},
            threads=threads,
            goals={OF_CPU: 25_000, OF_CLOCK: 50_000} if columns == "32" else {},
        )
        for threads in (1, 2)
        for kind in ("CBERL", "JOYFUL")
        for columns in ("32", "1380")
    ]
    stages = [
        Measurement("stages", name, n, work, arguments | {"n": n})
        for n in [*SIZES, *([LARGE] if large else [])]
        for name, (work, arguments) in STAGES.items()
    ]
    all_three = Measurement("pipeline", "all three steps, fitted", 10_000, "pipeline")
    found = [*peers, *epochs, *bare, *edges, *prediction, *stages]
    return found + [all_three] * large


def run(measurement):
    """Measure in a process of its own, and return the figures."""
    job = {name: getattr(measurement, name) for name in ("work", "arguments")}
    threads = str(measurement.threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    process = subprocess.run(
        [sys.executable, TIMED],
        input=json.dumps(job | {"threads": measurement.threads}),
        env=os.environ | dict.fromkeys(names, threads),
        capture_output=True,
        text=True,
    )
    if process.returncode:
        said = (process.stderr.splitlines() or [""])[-1]
        raise RuntimeError(f"ended with code {process.returncode}: {said}")
    return json.loads(process.stdout.splitlines()[-1])


def keep(path, measurement, found):
    """Write a line in the place of an older one."""
    row = dict(zip(KEYS, measurement.key, strict=True)) | found | surroundings()
    row["threads"] = measurement.threads
    rows = {}
    if path.exists():
        known = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
        rows = {tuple(each[key] for key in KEYS): each for each in known}
    cells = {name: as_cell(row.get(name)) for name in COLUMNS}
    rows[tuple(cells[key] for key in KEYS)] = cells
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows.values(), columns=COLUMNS)
    table.to_csv(path, index=False, lineterminator="\n")


def table_of(folder, place):
    """Write a table of the page, as text: figures with their goals."""
    path = Path(folder) / "speed.csv"
    rows = pd.read_csv(path).set_index(KEYS)
    table = "stages" if place == "memory" else place
    known = [m for m in measurements(True) if m.table == table and m.key in rows.index]
    if not known:
        raise SystemExit(f"{path} holds no measurement of {place!r}.")
    rows = rows.loc[[m.key for m in known]]
    if table == "stages":
        return by_size(rows, place)
    lines = [cells_of(m, rows.loc[m.key]) for m in known]
    table = pd.DataFrame(lines, index=pd.Index([m.name for m in known], name=place))
    return table.dropna(axis=1, how="all").fillna("")


def cells_of(measurement, row):
    """Write the figures of a measurement, each with its goal and those of peers."""
    shown = {"utterances": f"{measurement.n:,}", CPU: row["cpu_s"]}
    if measurement.table == "prediction":
        # Threads that wait for each other may burn time on a processor.
        name, column = (
            (OF_CPU, "cpu_s") if row["threads"] == 1 else (OF_CLOCK, "wall_s")
        )
        shown = {"utterances": shown["utterances"], name: measurement.n / row[column]}
    elif measurement.table == "bare":
        shown |= {"bare loop": row["bare_s"], "ratio": row["cpu_s"] / row["bare_s"]}
    else:
        shown |= {CLOCK: row["wall_s"], GB: row["peak_mb"] / 1024}
    cells = {}
    for name, value in shown.items():
        cells[name] = value if isinstance(value, str) else number(value)
        for word, given in {
            "goal": measurement.goals,
            "theirs": measurement.theirs,
        }.items():
            told = f"{word}, {name}"
            cells[told] = f"{given[name]:,}" if name in given else None
    return cells


def by_size(rows, figure):
    """Write how time or memory of each stage grows with the table."""
    column = "grown_mb" if figure == "memory" else "cpu_s"
    values = rows[column].unstack("n").droplevel("table")
    values = values.reindex([name for name in STAGES if name in values.index])
    table = values.map(number).set_axis([f"{n:,}" for n in values], axis=1)
    if column == "cpu_s":
        table["exponent"] = [
            f"{exponent(row.dropna()):.2f}" for _, row in values.iterrows()
        ]
        table["goal"] = EXPONENT
    table.index.name = "CPU seconds" if column == "cpu_s" else "MB"
    return table.astype(str)


def exponent(times):
    """Fit the power of the number of utterances that times grow with."""
    return np.polyfit(np.log(times.index), np.log(times), 1)[0]


def number(value):
    """Write a figure to about three digits."""
    if value != value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def parse(given=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="a million utterances")
    parser.add_argument("--only", nargs="+", help="tables, or 'table: row'")
    parser.add_argument("--list", action="store_true", help="tell all and end")
    parser.add_argument("--out", default=RESULTS, type=Path, help="folder of results")
    return parser.parse_args(given)


def main(given=None):
    """Make the measurements one after another."""
    arguments = parse(given)
    chosen = [
        m
        for m in measurements(arguments.large)
        if not arguments.only or {m.table, f"{m.table}: {m.name}"} & {*arguments.only}
    ]
    failed = 0
    for position, measurement in enumerate(chosen, start=1):
        told = f"[{position}/{len(chosen)}] {measurement.table}: {measurement.name}"
        told += f", {measurement.n:,} utterances"
        if arguments.list:
            print(told)
            continue
        try:
            found = run(measurement)
        except RuntimeError as error:
            failed += 1
            print(f"{told}: FAILED, {error}", flush=True)
            continue
        keep(arguments.out / "speed.csv", measurement, found)
        print(f"{told}: {found['cpu_s']:.3g} CPU s", flush=True)
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Ended; what was measured is kept.") from None
