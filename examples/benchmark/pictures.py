"""Pictures of a study: points, or curves where the names of pipelines hold numbers."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from benchmark.report import NUMBERS, POINTS

plt.style.use("tableau-colorblind10")

CURVE = re.compile(r"(?P<line>.+): (?P<axis>\D*?) ?(?P<x>[\d.]+|all)(?P<unit>.*)")


def draw(runs, path, *, title="", score="weighted_f1"):
    """Draw mean and deviation of a score, or of what was measured besides."""
    if score in runs and runs[score].isna().all():
        score = "mae"
    values = values_of(runs, score).groupby(runs["model"], sort=False)
    values = values.agg(["mean", "std"]).fillna(0)
    label = {**POINTS, **NUMBERS}.get(score, score)
    figure, axes = plt.subplots(layout="constrained")
    if is_curve(values.index):
        draw_curves(axes, values, {name: place_of(name) for name in values.index})
        axes.set_ylabel(label)
        axes.set_xlabel(axis_of(values.index))
    else:
        draw_points(axes, values.index, values["mean"], values["std"])
        axes.set_xlabel(label)
    figure.suptitle(title, fontsize="medium")
    save(figure, path)


def draw_differences(found, path, *, title=""):
    """Draw the differences to the floor, with the intervals of ``compare.py``."""
    factor = 1 if found["score"].iloc[0] == "mae" else 100
    middle, low, high = (factor * found[name] for name in ("difference", "low", "high"))
    figure, axes = plt.subplots(layout="constrained")
    axes.axvline(0, color="#c7c7c7", zorder=0)
    draw_points(axes, found["model"], middle, [middle - low, high - middle])
    label = {**POINTS, **NUMBERS}[found["score"].iloc[0]]
    axes.set_xlabel(f"{label} − {found['floor'].iloc[0]}")
    figure.suptitle(title, fontsize="medium")
    save(figure, path)


def draw_points(axes, names, middle, reach):
    """Draw a point for each name, from the top, with what lies around it."""
    axes.figure.set_size_inches(7, 1.2 + 0.28 * len(names))
    axes.errorbar(middle, range(len(names)), xerr=reach, fmt="o", color="#1f4e79")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()


def save(figure, path):
    """Write a picture and forget it."""
    figure.savefig(path, dpi=110)
    plt.close(figure)


def place_of(name):
    """Tell the line of a pipeline, and its place on it, where its name has a number."""
    return CURVE.fullmatch(name)


def is_curve(names):
    """Whether most names are those of points of a curve."""
    return sum(bool(place_of(name)) for name in names) > len(names) / 2


def axis_of(names):
    """Name what the numbers of a curve count, where all count the same."""
    places = [place for place in map(place_of, names) if place]
    kinds = {(place["axis"], place["unit"].strip()) for place in places}
    return " ".join(kinds.pop()).strip() if len(kinds) == 1 else ""


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
    if any(place and place["x"] == "all" for place in places.values()):
        axes.set_xticks(
            [*np.unique(known), end], [*map("{:g}".format, np.unique(known)), "all"]
        )
    axes.legend(frameon=False, fontsize="small")
