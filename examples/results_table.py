"""Score CBERL, JOYFUL and DialogueGCN beside their floors and rivals on one table.

    python examples/results_table.py --data iemocap6_ta.npz --modalities text audio \
        --minority hap exc --seeds 5

The table is a file for :func:`skmerc.datasets.load_table` with the parts train, dev
and test. Models learn from train, stop by the weighted F1 of dev, and are scored
once on test; where there is no dev part, twelve training dialogues serve. "Five" are
networks of one kind that vote by their mean probabilities. To compare settings,
``--folds 4`` leaves the test part alone: each quarter of the dialogues of train and dev
is left out once, and a tenth of the others decides when to stop. With
``--dialogues 30`` models learn from thirty of these dialogues, drawn three times, and
are scored on sixty others.

Scores are mean and deviation over seeds (and folds), in points. Behind them stands the
mean difference to the Bi-GRU of the same seed, with its standard error. It prints
Markdown.
"""

import argparse
import time
from functools import partial
from itertools import groupby
from operator import itemgetter

import numpy as np
import pandas as pd
import torch
from bigru import GRUClassifier, features
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from joblib import Parallel, delayed
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmerc import (
    CBERLClassifier,
    DialogueGCNClassifier,
    DialogueSampler,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc.datasets import load_table
from skmerc.frame import mark_validation, read_keys
from skmerc.model_selection import DialogueKFold
from skmerc.recognition import make_cberl
from skmerc.sampling import up_to_mean

N_VALIDATION = 12
N_DRAWS = 3
N_SCORED = 60
FLOOR = "Bi-GRU"


def with_neighbours(X, reach=2):
    """Append the features of the utterances before and after, 0 beyond the ends."""
    keys, values = read_keys(X), features(X)
    order = np.lexsort((keys["dialogue__turn"], keys["dialogue__id"]))
    ids, values = keys["dialogue__id"].to_numpy()[order], values[order]
    parts = []
    for shift in range(-reach, reach + 1):
        same = ids == np.roll(ids, shift)
        parts.append(np.roll(values, shift, axis=0) * same[:, None])
    return np.hstack(parts)[np.argsort(order)]


def logistic(read):
    """Logistic regression on what `read` takes from the table."""
    return make_pipeline(
        FunctionTransformer(read),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -10, "a_max": 10}),
        LogisticRegression(C=0.01, max_iter=2000),
    )


def gan(seed, **changes):
    return MultimodalGANSampler(sampling_strategy="mean", random_state=seed, **changes)


def rival(sampler, seed):
    sampler.set_params(sampling_strategy=up_to_mean, random_state=seed)
    return DialogueSampler(sampler)


def fuser(seed, **changes):
    return DJVAEFuser(random_state=seed, **changes)


def cberl(seed, **changes):
    return CBERLClassifier(random_state=seed, **changes)


def joyful(seed, **changes):
    return JoyfulClassifier(random_state=seed, **changes)


def five(classifier):
    """Make a function of the seed: five of a classifier, which answer by their mean."""
    return lambda seed: VotingClassifier(
        [(str(number), classifier(5 * seed + number)) for number in range(5)],
        voting="soft",
    )


def gru(seed):
    return GRUClassifier(random_state=seed)


MODELS = {
    "most frequent": lambda seed: DummyClassifier(),
    "logistic regression": lambda seed: logistic(features),
    "the same, ±2 neighbours": lambda seed: logistic(with_neighbours),
    "the same, ±5 neighbours": lambda seed: logistic(partial(with_neighbours, reach=5)),
    FLOOR: gru,
    "Bi-GRU, class weights": lambda seed: GRUClassifier(
        "class_weight", random_state=seed
    ),
    "Bi-GRU, logit adjustment": lambda seed: GRUClassifier(
        "logit_adjustment", random_state=seed
    ),
    "classifier": cberl,
    "classifier, class weights": lambda seed: cberl(seed, class_weight="balanced"),
    "classifier, effective number": lambda seed: cberl(seed, class_weight="effective"),
    "classifier, logit adjustment": lambda seed: cberl(
        seed, logit_adjustment=1.0, focal_gamma=0.0
    ),
    "random over-sampling, fuser, classifier": lambda seed: make_pipeline(
        rival(RandomOverSampler(), seed), fuser(seed), cberl(seed)
    ),
    "SMOTE, fuser, classifier": lambda seed: make_pipeline(
        rival(SMOTE(), seed), fuser(seed), cberl(seed)
    ),
    "CBERL, three steps": lambda seed: make_pipeline(
        gan(seed), fuser(seed), cberl(seed)
    ),
    "CBERL, trained jointly": lambda seed: make_pipeline(
        gan(seed), cberl(seed, fusion="djvae")
    ),
    "CBERL, preset of the paper": lambda seed: make_cberl("paper", random_state=seed),
    "DialogueGCN": lambda seed: DialogueGCNClassifier(random_state=seed),
    "JOYFUL": joyful,
    "JOYFUL, class weights": lambda seed: joyful(seed, class_weight="balanced"),
    "JOYFUL, effective number": lambda seed: joyful(seed, class_weight="effective"),
    "JOYFUL, logit adjustment": lambda seed: joyful(seed, logit_adjustment=1.0),
    "JOYFUL, supervised contrast": lambda seed: joyful(
        seed, contrast="supervised", batch_negatives=True
    ),
    "GAN, JOYFUL": lambda seed: make_pipeline(gan(seed), joyful(seed)),
    "five Bi-GRUs": five(gru),
    "five JOYFULs": five(joyful),
}
FIXED = (
    "most frequent",
    "logistic regression",
    "the same, ±2 neighbours",
    "the same, ±5 neighbours",
)


def read(path, modalities, folds=None, label="label", dialogues=None):
    """Read the parts; dev becomes validation. With folds, one division for each."""
    X, y, split = load_table(
        path, modalities=modalities, label=label, return_split=True
    )
    train = split != "test"
    if folds or dialogues:
        X, y = X[train].reset_index(drop=True), y[train]
    if dialogues:
        return [draw(X, y, dialogues, number) for number in range(N_DRAWS)]
    if folds:
        return [
            divide(X, y, test, fraction=0.1, random_state=number)
            for number, (_, test) in enumerate(DialogueKFold(folds).split(X))
        ]
    held_out = X["dialogue__id"][split == "dev"].unique()
    if not len(held_out):
        ids = X["dialogue__id"][train].unique()
        held_out = np.random.RandomState(0).choice(ids, N_VALIDATION, replace=False)
    return [divide(X, y, np.flatnonzero(~train), dialogues=held_out)]


def draw(X, y, dialogues, number):
    """Some dialogues to learn from, and others to score."""
    ids = np.random.default_rng(number).permutation(X["dialogue__id"].unique())
    ids = ids[: dialogues + N_SCORED]
    kept = X["dialogue__id"].isin(ids).to_numpy()
    X, y = X[kept].reset_index(drop=True), y[kept]
    test = np.flatnonzero(X["dialogue__id"].isin(ids[dialogues:]))
    return divide(X, y, test, fraction=0.1, random_state=number)


def divide(X, y, test, **validation):
    """Training rows, some of them marked as validation, and test rows."""
    test = np.isin(np.arange(len(X)), test)
    return mark_validation(X[~test], **validation), y[~test], X[test], y[test]


def score(model, parts, minority, *, stops=True):
    """Fit on the training rows, score once on the test rows."""
    torch.set_num_threads(1)
    X, y, X_test, y_test = parts
    if not stops:  # it knows neither validation rows nor context
        kept = (X["dialogue__role"] == "utterance").to_numpy()
        X, y = X[kept], y[kept].astype(str)
    start = time.perf_counter()
    answer = model.fit(X, y).predict(X_test)
    seconds = time.perf_counter() - start
    labelled = (X_test["dialogue__role"] != "context").to_numpy()
    y_test, answer = y_test[labelled].astype(str), answer[labelled].astype(str)
    scores = {
        "weighted F1": f1_score(y_test, answer, average="weighted", zero_division=0),
        "macro F1": f1_score(y_test, answer, average="macro", zero_division=0),
    }
    for label in minority:
        found = f1_score(y_test, answer, labels=[label], average=None, zero_division=0)
        scores[f"F1 {label}"] = found[0]
    return {name: 100 * value for name, value in scores.items()} | {"s": seconds}


def run(models, divisions, minority, *, seeds, n_jobs, fixed=()):
    """Yield the scores of each model, one row per seed and division."""
    todo = [
        (name, seed, parts)
        for name in models
        for seed in range(1 if name in fixed else seeds)
        for parts in divisions
    ]
    jobs = (
        delayed(score)(models[name](seed), parts, minority, stops=name not in fixed)
        for name, seed, parts in todo
    )
    results = Parallel(n_jobs, return_as="generator", pre_dispatch=n_jobs)(jobs)
    named = zip((name for name, *_ in todo), results, strict=True)
    for name, rows in groupby(named, key=itemgetter(0)):
        yield name, pd.DataFrame([row for _, row in rows])


def as_text(runs, column):
    """Mean and deviation over seeds."""
    if column == "s":
        return f"{runs[column].mean():.0f}"
    spread = f" ± {runs[column].std(ddof=1):.1f}" if len(runs) > 1 else ""
    return f"{runs[column].mean():.1f}{spread}"


def difference(runs, floor, columns):
    """Mean difference to the floor of the same seed, and its standard error."""
    gain = (runs[columns] - floor[columns]).mean(axis=1)
    return f"{gain.mean():+.1f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.1f}"


def print_row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def parse(description, models, **more):
    """Read the command line that this script and `ablations.py` share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", required=True, help="the table, a file")
    parser.add_argument("--modalities", nargs="+", help="which blocks of it to read")
    parser.add_argument("--minority", nargs="*", default=[], help="rare emotions")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, help="compare on training dialogues")
    parser.add_argument(
        "--dialogues", type=int, help="learn from so few of the training dialogues"
    )
    parser.add_argument("--models", nargs="+", choices=models, default=list(models))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--save", help="a CSV file for the scores of every run")
    for name, default in more.items():
        switch = {"action": "store_true"} if default is False else {}
        parser.add_argument(f"--{name}", default=default, **switch)
    return parser.parse_args()


def read_divisions(arguments):
    """Read what the command line names."""
    return read(
        arguments.data,
        arguments.modalities,
        arguments.folds,
        dialogues=arguments.dialogues,
    )


def print_table(models, divisions, arguments, *, floor, fixed=()):
    """Score the chosen models, print a row for each, and return their scores."""
    rare = [f"F1 {label}" for label in arguments.minority]
    found = {}
    for name, runs in run(
        {name: models[name] for name in arguments.models},
        divisions,
        arguments.minority,
        seeds=arguments.seeds,
        n_jobs=arguments.jobs,
        fixed=fixed,
    ):
        found[name] = runs
        cells = [as_text(runs, column) for column in runs]
        if floor in found and len(runs) == len(found[floor]) > 1:
            for columns in filter(None, (["weighted F1"], rare)):
                cells.append(difference(runs, found[floor], columns))
        print_row(name, *cells)
        if arguments.save:
            pd.concat(found, names=["model", "run"]).to_csv(arguments.save)
    print_row("model", *runs.columns, f"weighted F1 - {floor}", f"rare F1 - {floor}")
    return found


if __name__ == "__main__":
    arguments = parse(__doc__.splitlines()[0], MODELS)
    divisions = read_divisions(arguments)
    print_table(MODELS, divisions, arguments, floor=FLOOR, fixed=FIXED)
