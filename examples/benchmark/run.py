"""Make the runs of a study: each is a process of its own, and a line of results.

    python examples/benchmark/run.py systems --data iemocap6_ta.npz --seeds 5 --jobs 2

``--data`` takes tables for :func:`skmerc.datasets.load_table` (``make_table.py`` writes
them), and corpora as users hold them: ``meld:FOLDER``, ``iemocap:features.pkl``,
``conversations:calls.jsonl``; where these have words and no features, the words are
embedded. With several, each is measured; ``transfer`` takes them in pairs, ``together``
all at once. Finished runs are never repeated: with ``--resume`` a study that was killed
goes on. ``--list`` tells the studies.

Models learn from the official training dialogues, validation dialogues decide when to
stop, and the test dialogues are scored once. Without official parts there are folds of
dialogues. To choose settings, ``--split training`` leaves the test dialogues alone.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from itertools import permutations
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmark import corpora, one, splits
from benchmark.record import RESULTS, Record, identity_of, surroundings
from benchmark.studies import STUDIES


def parse(given=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", nargs="?", choices=list(STUDIES))
    parser.add_argument("--list", action="store_true", help="tell the studies and end")
    parser.add_argument("--data", nargs="+", default=[], help="tables or corpora")
    parser.add_argument("--modalities", nargs="+", help="text, audio, visual")
    parser.add_argument("--label", help="which labels to read")
    parser.add_argument("--features", help="a feature file beside annotations")
    parser.add_argument("--sentences", help="a CSV file of what was said in a table")
    parser.add_argument("--embed", help="the sentence model for words")
    parser.add_argument("--models", nargs="+", help="some pipelines of the study alone")
    parser.add_argument("--split", choices=splits.SPLITS, help="by default official")
    parser.add_argument("--folds", type=int, default=5, help="how many there are")
    parser.add_argument("--seeds", type=int, default=5, help="how many there are")
    parser.add_argument("--dialogues", type=int, help="learn from so few of them")
    parser.add_argument("--epochs", type=int, help="train for so few, to try a study")
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0: this one")
    parser.add_argument("--resume", action="store_true", help="go on with a study")
    parser.add_argument("--out", default=RESULTS, type=Path, help="folder of results")
    return parser.parse_args(given)


def make_jobs(study, arguments):
    """List all runs, seed after seed, so that an unfinished study compares, too."""
    names = ("modalities", "label", "features", "sentences", "embed")
    how = {name: getattr(arguments, name) for name in names}
    how["words"] = study.kind == "text"
    how["cache"] = str(arguments.out.resolve() / "cache")
    made = []
    for data in groups_of(study, arguments.data):
        tables = [corpora.read(name, **how) for name in data]
        given = {"study": study.name, "data": list(data), "read": how}
        made += [given | job for job in jobs_of(study, arguments, tables)]
    return sorted(made, key=lambda job: job["seed"])


def groups_of(study, data):
    """Tell which corpora are read together."""
    if study.kind == "transfer":
        return list(permutations(data, 2))
    return [data] if study.kind == "together" else [[name] for name in data]


def jobs_of(study, arguments, tables):
    """List the runs on one table, on one pair, or on all tables at once."""
    split, places = places_of(study, arguments, tables)
    # Which dialogues are drawn depends on the seed, too.
    fixed = study.without_seed if not arguments.dialogues else ()
    shared = {
        "modalities": "+".join(tables[0].modalities),
        "split": split,
        "folds": arguments.folds,
        "dialogues": arguments.dialogues,
        "epochs": arguments.epochs,
    }
    return [
        shared | {"corpus": corpus, "fold": fold, "model": model, "seed": seed}
        for corpus, fold in places
        for model in chosen(study.pipelines(tables[0]), arguments.models)
        for seed in range(1 if model in fixed else arguments.seeds)
    ]


def places_of(study, arguments, tables):
    """Name the split, and each corpus and fold that is scored."""
    names = [table.name for table in tables]
    if study.kind == "transfer":
        return "transfer", [(" to ".join(names), "test")]
    if study.kind == "together":
        return "together", [(name, str(number)) for number, name in enumerate(names)]
    split = arguments.split or splits.default_split(tables[0])
    folds = splits.folds(tables[0], split, arguments.folds)
    name = split if split not in ("folds", "training") else f"{split} {arguments.folds}"
    return name, [(names[0], fold) for fold in folds]


def chosen(pipelines, names):
    """Take some pipelines; refuse a name that there is not."""
    unknown = [name for name in names or () if name not in pipelines]
    if unknown:
        known = ", ".join(pipelines)
        raise SystemExit(f"No pipeline {unknown[0]!r}; there are: {known}.")
    return names or list(pipelines)


def outcomes(jobs, n_processes):
    """Yield each job with its row as it ends; end what runs if this one is ended."""
    if not n_processes:
        yield from ((job, one.safely(job)) for job in jobs)
        return
    waiting, running = deque(jobs), {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            while waiting or running:
                while waiting and len(running) < n_processes:
                    job = waiting.popleft()
                    running[start(job, Path(folder) / str(len(waiting)))] = job
                for process in [p for p in running if p.poll() is not None]:
                    yield running.pop(process), row_of(process)
                time.sleep(0.05)
        finally:
            for process in running:
                process.terminate()
                process.wait()


def start(job, path):
    """Start a run in a process of its own, on one thread."""
    job_file = path.with_suffix(".json")
    job_file.write_text(json.dumps(job), encoding="utf-8")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, one.__file__, str(path.with_suffix(".row"))]
    with job_file.open() as given, path.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=given, stdout=log, stderr=log, env=os.environ | threads
        )
    process.path = path
    return process


def row_of(process):
    """Read what a process has left; one that was killed has left nothing."""
    result = process.path.with_suffix(".row")
    if process.returncode == 0 and result.exists():
        return json.loads(result.read_text(encoding="utf-8"))
    said = process.path.with_suffix(".log").read_text(errors="replace").splitlines()
    code = process.returncode
    how = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return {"status": "failed", "error": " ".join([how, *said[-1:]])[:500]}


def told(job, row):
    """Say in one line how a run ended."""
    name = f"{job['corpus']}, {job['model']}, seed {job['seed']}"
    name += f", {job['fold']}" if job["fold"] != "test" else ""
    if row["status"] != "ok":
        return f"{name}: FAILED, {row['error']}"
    score = row.get("weighted_f1", row.get("mae"))
    return f"{name}: {score:.3f} in {row['fit_s']:.0f} s"


def time_left(seconds):
    """Write a time."""
    return f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left"


def main(given=None):
    """Make the runs that are not finished."""
    arguments = parse(given)
    if arguments.list or not arguments.study or not arguments.data:
        for study in STUDIES.values():
            print(f"{study.name:20} {study.question}")
        return
    study = STUDIES[arguments.study]
    if study.kind == "scores":
        arguments.label = arguments.label or "score"
    record = Record(arguments.out, study.name)
    record.mend()
    jobs, done = make_jobs(study, arguments), record.finished()
    todo = [job for job in jobs if identity_of(job) not in done]
    finished = len(jobs) - len(todo)
    if finished and not arguments.resume:
        raise SystemExit(
            f"{record.path} holds {finished} of these {len(jobs)} runs; go on with "
            "--resume, or make them anew in a folder of your own by --out."
        )
    for job in todo:
        job["predictions"] = str(record.predictions(identity_of(job)).resolve())
    with_versions, began, failed = surroundings(), time.monotonic(), 0
    for number, (job, row) in enumerate(outcomes(todo, arguments.jobs), start=1):
        record.append({**job, **with_versions, **row})
        failed += row["status"] != "ok"
        left = (time.monotonic() - began) / number * (len(todo) - number)
        place = f"[{finished + number}/{len(jobs)}]"
        print(f"{place} {told(job, row)}; {time_left(left)}", flush=True)
    print(f"{record.path}: {len(jobs) - failed} of {len(jobs)} runs are finished.")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Ended; go on with --resume.") from None
