"""Pictures of a study: bars, or curves where the names of pipelines hold numbers."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from benchmark.report import NUMBERS, POINTS

CURVE = re.compile(r"(?P<line>.+): (?P<axis>\D*?) ?(?P<x>[\d.]+|all)(?P<unit>.*)")


def draw(runs, path, *, title="", score="weighted_f1"):
    """Draw mean and deviation of a score, or of what was measured besides."""
    if score in runs and runs[score].isna().all():
        score = "mae"
    values = values_of(runs, score).groupby(runs["model"], sort=False)
    values = values.agg(["mean", "std"]).fillna(0)
    places = {name: CURVE.fullmatch(name) for name in values.index}
    label = {**POINTS, **NUMBERS}.get(score, score)
    figure, axes = plt.subplots(layout="constrained")
    if sum(map(bool, places.values())) > len(values) / 2:
        draw_curves(axes, values, places)
        axes.set_ylabel(label)
    else:
        figure.set_size_inches(7, 0.8 + 0.3 * len(values))
        axes.barh(values.index, values["mean"], xerr=values["std"], color="#8fb3d9")
        axes.invert_yaxis()
        axes.set_xlabel(label)
    axes.set_title(title)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def values_of(runs, score):
    """Return a score of each run, in points where it is one."""
    if score in runs:
        return runs[score] * (100 if score in POINTS else 1)
    return pd.to_numeric(runs["extra"].map(lambda extra: extra.get(score)))


def draw_curves(axes, values, places):
    """Draw a line for each series, and a level for what has no number."""
    lines = {}
    for name, place in places.items():
        if place:
            line = f"{place['line']} {place['axis']}".strip()
            lines.setdefault(line, []).append(name)
        else:
            axes.axhline(values.loc[name, "mean"], color="#c7c7c7", label=name)
    known = [float(p["x"]) for p in places.values() if p and p["x"] != "all"]
    end = max(known, default=0) + 1
    for line, names in lines.items():
        x = [end if places[n]["x"] == "all" else float(places[n]["x"]) for n in names]
        order = np.argsort(x)
        own = values.loc[names].iloc[order]
        axes.errorbar(np.sort(x), own["mean"], own["std"], label=line, marker=".")
    axes.legend(frameon=False, fontsize="small")
