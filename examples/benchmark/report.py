"""Make tables and pictures of what ``results/*.csv`` hold.

    python examples/benchmark/report.py systems                  # print Markdown
    python examples/benchmark/report.py systems --plot docs/images
    python examples/benchmark/report.py depth --plot docs/images --score distance
    python examples/benchmark/report.py --update

``--update`` writes the tables of the README and of the documentation anew, which stand
between markers that name a study and a corpus: ``<!-- results: systems maia_text -->``
and ``<!-- end of results -->`` in Markdown; the same as comments in rst. Of each class
that is named, ``maia_text, F1 anger``, there is the F1, too. ``systems every corpus``
sets the scores of all corpora side by side, with mean ranks (and ``every corpus, 12``
those of twelve dialogues). A test fails where tables differ from the results.
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmark import speed
from benchmark.record import RESULTS, ROOT, read

POINTS = {
    "weighted_f1": "weighted F1",
    "macro_f1": "macro F1",
    "minority_f1": "minority F1",
    "balanced_accuracy": "balanced accuracy",
    "shift_f1": "F1 at shifts",
    "ece": "ECE",
}
CHOICES = ("modalities", "split", "dialogues")
EVERY = "every corpus"
NUMBERS = {"mae": "mean absolute error", "correlation": "correlation"}
MARKED = re.compile(
    r"(?P<begin>(?:<!-- |\.\. )results: (?P<study>\S+) (?P<place>.+?)(?: -->)?\n)"
    r"(?P<table>.*?)(?P<end>(?:<!-- |\.\. )end of results)",
    re.DOTALL,
)


def table_of(folder, study, place):
    """Mean and deviation of each model on a corpus, as text: a row for each."""
    if study == "speed":
        return speed.table_of(folder, place)
    if place.startswith(EVERY):
        return table_of_all(folder, study, place.split(", ")[1:])
    runs = runs_of(folder, study, place)
    classes = [w.removeprefix("F1 ") for w in place.split(", ") if w.startswith("F1 ")]
    models = runs.groupby("model", sort=False)
    table = pd.DataFrame({name: cells_of(own, classes) for name, own in models})
    table = table.T.fillna("").rename_axis("model")
    return table.loc[:, (table != "").any()].join(differences(folder, study, runs))


def table_of_all(folder, study, wanted=()):
    """Weighted F1 of each model on each corpus, and mean ranks.

    Only models that were measured on all of them have ranks. Of a corpus the first
    split counts, as for :func:`at`, and only corpora that have what is wanted.
    """
    path = Path(folder) / f"{study}.csv"
    if not path.exists():
        raise SystemExit(f"There is no {path}: make the runs of {study} first.")
    rows, means, cells = read(path), {}, {}
    for corpus in dict.fromkeys(rows["corpus"]):
        runs = at(rows, ", ".join([corpus, *wanted]))
        if not set(wanted) <= set(runs[list(CHOICES)].astype(str).iloc[0]):
            continue
        models = runs.groupby("model", sort=False)
        scores = [100 * models[name].mean() for name in ("weighted_f1", "macro_f1")]
        cells[corpus] = pd.Series(
            {name: f"{spread(100 * own['weighted_f1'], 1)}" for name, own in models}
        )
        for name, score in zip(("weighted F1", "macro F1"), scores, strict=True):
            means[corpus, name] = score
    means = pd.DataFrame(means).dropna().rank(ascending=False)
    table = pd.DataFrame(cells).fillna("")
    table = table.loc[
        [name for name in dict.fromkeys(rows["model"]) if name in table.index]
    ]
    for name in ("weighted F1", "macro F1"):
        rank = means.xs(name, axis=1, level=1).mean(axis=1)
        table[f"mean rank by {name}"] = rank.map("{:.1f}".format)
    return table.fillna("").rename_axis("model")


def runs_of(folder, study, place):
    """Return the finished runs of a study on a corpus; those to try it do not count."""
    path = Path(folder) / f"{study}.csv"
    if not path.exists():
        raise SystemExit(f"There is no {path}: make the runs of {study} first.")
    runs = at(read(path), place)
    if not len(runs):
        raise SystemExit(f"{path} holds no finished run on {place!r}.")
    if runs["split"].iloc[0] == "scenarios":
        kind = np.where(runs["fold"].str.startswith("script"), "scripted", "improvised")
        runs = runs.assign(model=runs["model"] + ", " + kind)
    return runs


def at(rows, place):
    """Take the rows of a corpus; other words of `place` say which of its columns.

    ``"iemocap6_ta, scenarios"`` are those of this split. What is not said is as in the
    first row.
    """
    corpus, *wanted = place.split(", ")
    rows = rows[(rows["corpus"] == corpus) & (rows["epochs"].astype(str) == "")]
    for column in CHOICES:
        values = rows[column].astype(str)
        kept = [word for word in wanted if word in set(values)] or values[:1].tolist()
        rows = rows[values.isin(kept)]
    return rows


def places_in(rows):
    """Name all places that rows tell of, as :func:`at` understands."""
    rows = rows[rows["epochs"].astype(str) == ""]
    found = rows[["corpus", *CHOICES]].astype(str).drop_duplicates()
    return [", ".join(filter(None, row)) for row in found.itertuples(index=False)]


def cells_of(runs, classes=()):
    """Write the scores of a model, and the F1 of some classes."""
    extra = pd.DataFrame(runs["extra"].tolist(), index=runs.index)
    cells = {"runs": str(len(runs))}
    cells |= {text: spread(100 * runs[name], 1) for name, text in POINTS.items()}
    cells |= {text: spread(runs[name], 3) for name, text in NUMBERS.items()}
    own = pd.DataFrame(runs["per_class"].tolist(), index=runs.index)
    cells |= {f"F1 {name}": spread(100 * own[name], 1) for name in classes}
    return cells | {name: spread(extra[name], 3) for name in extra}


def spread(values, digits):
    """Write mean ± deviation, the mean alone of a single run, or nothing."""
    values = pd.to_numeric(values, errors="coerce").dropna()
    if not len(values):
        return ""
    mean = f"{values.mean():.{digits}f}"
    return f"{mean} ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else mean


def compared(folder, study, runs):
    """Read what ``compare.py`` found of the models of some runs."""
    path = Path(folder) / f"{study}.compared.csv"
    if not path.exists():
        return pd.DataFrame()
    found = pd.read_csv(path, keep_default_na=False)
    for column in ("corpus", *CHOICES, "epochs"):
        found = found[found[column].astype(str) == str(runs[column].iloc[0])]
    return found


def differences(folder, study, runs):
    """Write what ``compare.py`` found, a column for the floor that it took."""
    cells = {}
    for row in compared(folder, study, runs).to_dict("records"):
        factor, digits = (1, 3) if row["score"] == "mae" else (100, 1)
        gain, low, high = (
            f"{factor * row[column]:+.{digits}f}"
            for column in ("difference", "low", "high")
        )
        name = {**POINTS, **NUMBERS}[row["score"]]
        cells.setdefault(f"{name} − {row['floor']}", {})[row["model"]] = (
            f"{gain} [{low}, {high}], p = {row['p_holm']:.2g}"
        )
    return pd.DataFrame(cells)


def as_markdown(table):
    """Write a table in Markdown."""
    rows = [[table.index.name, *table.columns], ["---"] * (1 + table.shape[1])]
    rows += [[name, *cells] for name, *cells in table.fillna("").itertuples()]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def as_rst(table):
    """Write a table in rst."""
    text = table.fillna("").to_csv(lineterminator="\n")
    lines = "".join(f"   {line}\n" for line in text.splitlines())
    return f"\n.. csv-table::\n   :header-rows: 1\n\n{lines}\n"


def picture(study, place, folder, *, out=RESULTS, score=None):
    """Draw a study on a corpus into a folder; return the file.

    Models that numbers tell apart are points of a curve; of others the differences to
    the floor are drawn, where they are known and no score is named.
    """
    from benchmark.pictures import draw, draw_differences, is_curve  # need matplotlib

    runs = runs_of(out, study, place)
    name = re.sub(r"\W+", "_", f"{study}_{place}")
    path = Path(folder) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = compared(out, study, runs)
    if score or is_curve(runs["model"].unique()) or not len(found):
        draw(runs, path, title=place, score=score or "weighted_f1")
    else:
        draw_differences(found, path, title=place)
    return path


def updated(text, folder):
    """Write the tables between markers anew."""

    def renew(found):
        table = table_of(folder, found["study"], found["place"])
        write = as_rst if found["begin"].startswith("..") else as_markdown
        return found["begin"] + write(table) + found["end"]

    return MARKED.sub(renew, text)


def pages():
    """Return the files that may hold tables."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.rst"))]


def main(given=None):
    """Print, draw or update."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", nargs="?")
    parser.add_argument("--format", choices=("markdown", "rst"), default="markdown")
    parser.add_argument("--plot", type=Path, help="a folder for pictures")
    parser.add_argument("--score", help="what they show, in place of differences")
    parser.add_argument("--update", action="store_true", help="README and docs")
    parser.add_argument("--out", default=RESULTS, type=Path, help="folder of results")
    arguments = parser.parse_args(given)
    if arguments.update:
        for page in pages():
            text = page.read_text(encoding="utf-8")
            page.write_text(updated(text, arguments.out), encoding="utf-8")
        return
    if not arguments.study:
        parser.error("name a study, or give --update")
    write = as_rst if arguments.format == "rst" else as_markdown
    places = places_in(read(arguments.out / f"{arguments.study}.csv"))
    if len(places) > 1:
        print(write(table_of(arguments.out, arguments.study, EVERY)))
    for place in places:
        print(f"{place}\n")
        print(write(table_of(arguments.out, arguments.study, place)))
        if arguments.plot:
            study, folder = arguments.study, arguments.plot
            picture(study, place, folder, out=arguments.out, score=arguments.score)


if __name__ == "__main__":
    main()
