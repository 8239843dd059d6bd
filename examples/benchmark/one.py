"""One run: fits one pipeline of a study, and scores it once on the test dialogues.

``run.py`` starts it in a process of its own: a job comes as JSON, and so does the row.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import torch

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmark import corpora, measures, splits
from benchmark.studies import STUDIES

STEPS_PER_EPOCH = 20


def run(job):
    """Fit, predict and score; return a row, and keep the predictions in a file."""
    torch.set_num_threads(1)
    study = STUDIES[job["study"]]
    tables = [corpora.read(data, **job["read"]) for data in job["data"]]
    division = divide(study, tables, job)
    model = study.pipelines(tables[0])[job["model"]](job["seed"])
    shorten(model, job["epochs"])
    start = time.perf_counter()
    model.fit(division.X, division.y)
    fitted = time.perf_counter()
    answer = np.asarray(model.predict(division.X_test))
    predicted = time.perf_counter()
    if study.kind == "scores":
        row = measures.score_scores(division, answer)
    else:
        row = measures.emotion_scores(
            division, answer, model.predict_proba(division.X_test), model.classes_
        )
    keep_predictions(job["predictions"], division, answer)
    extra = study.measure(model, division) if study.measure else {}
    return row | {
        "extra": extra,
        "n_train": int((division.X["dialogue__role"] == "utterance").sum()),
        "n_test": int(measures.labelled(division.X_test).sum()),
        "fit_s": round(fitted - start, 3),
        "predict_s": round(predicted - fitted, 3),
        "peak_mb": peak_memory(),
    }


def divide(study, tables, job):
    """Make the division of a job."""
    given = {"dialogues": job["dialogues"], "seed": job["seed"]}
    if study.kind == "transfer":
        return splits.transfer(*tables, **given)
    if study.kind == "together":
        return splits.together(tables, int(job["fold"]), **given)
    split = job["split"].split()[0]
    return splits.divide(tables[0], split, job["folds"], job["fold"], **given)


def shorten(model, epochs):
    """Train for so many epochs at most, to try what a study does."""
    if not epochs:
        return
    limits = {"max_epochs": epochs, "epochs": epochs, "n_trials": epochs}
    limits["n_steps"] = STEPS_PER_EPOCH * epochs
    given = model.get_params(deep=True)
    changes = {
        name: min(value, limits[name.split("__")[-1]])
        for name, value in given.items()
        if name.split("__")[-1] in limits and value
    }
    if "space" in given:
        changes["space"] = {
            name: values
            for name, values in given["space"].items()
            if name.split("__")[-1] not in limits
        }
    model.set_params(**changes)


def keep_predictions(path, division, answer):
    """Keep truth and answers of the labelled rows by dialogue, for `compare.py`."""
    rows = measures.labelled(division.X_test)
    names, dialogue = np.unique(
        division.X_test["dialogue__id"].to_numpy(dtype=str)[rows], return_inverse=True
    )
    found = {"dialogue_names": names, "dialogue": dialogue.astype(np.int32)}
    true, pred = division.y_test[rows], answer[rows]
    if true.dtype.kind != "f":
        classes = np.unique(np.concatenate([true, pred.astype(true.dtype)]))
        codes = [np.searchsorted(classes, labels) for labels in (true, pred)]
        true, pred = (labels.astype(np.int16) for labels in codes)
        found["classes"] = classes
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez_compressed(file, true=true, pred=pred, **found)
    part.replace(path)


def peak_memory():
    """Peak memory of this process in MB; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 1024), 1)


def safely(job):
    """Run; where that fails, say so in the row."""
    try:
        return {"status": "ok", "error": ""} | run(job)
    except Exception as error:  # whatever happens, the study goes on
        traceback.print_exc()
        return {"status": "failed", "error": f"{type(error).__name__}: {error}"[:500]}


if __name__ == "__main__":
    row = safely(json.load(sys.stdin))
    Path(sys.argv[1]).write_text(json.dumps(row), encoding="utf-8")
