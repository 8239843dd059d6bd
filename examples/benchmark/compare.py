"""Tell which differences to the floor of a study are more than chance.

    python examples/benchmark/compare.py systems

For each corpus the answers of a model and those of the floor to the same test dialogues
are compared, seed by seed. Dialogues are drawn with replacement (bootstrap), the same
for both and for all seeds, so that differences are paired; the interval holds 95 % of
the draws, and p is twice the share of draws beyond 0, after Holm's correction for the
number of models. It writes ``results/<study>.compared.csv``, which tables show. Answers
stay on the machine that gave them: models that were compared elsewhere keep what was
found.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmark.record import IDENTITY, RESULTS, Record, read
from benchmark.studies import STUDIES

PLACE = ["corpus", "modalities", "split", "dialogues", "epochs"]
SCORE = {"emotions": "weighted_f1", "scores": "mae"}


def compare(record, study, *, score=None, floor=None, n_draws=2000, random_state=0):
    """Compare each model of a study with its floor, corpus by corpus."""
    score = score or SCORE.get(study.kind, "weighted_f1")
    floor, found = floor or study.floor, []
    for place, rows in read(record.path).groupby(PLACE, sort=False):
        models = dict(iter(rows.groupby("model", sort=False)))
        away = [name for name, own in models.items() if not is_here(record, own)]
        if away:
            where = ", ".join(map(str, place))
            print(f"{where}: answers of {len(away)} models lie elsewhere.")
        answers = {
            name: answers_of(record, own)
            for name, own in models.items()
            if name not in away
        }
        if not rows["dialogues"].astype(str).iloc[0]:  # or draws differ by the seed
            for name in study.without_seed & answers.keys():
                answers[name] = for_all(rows["seed"].unique(), answers[name])
        of_floor = answers.pop(floor, None)
        if not of_floor:
            continue
        compared = {
            model: paired(own, of_floor, score, n_draws, random_state)
            for model, own in answers.items()
        }
        compared = [{"model": name} | gain for name, gain in compared.items() if gain]
        table = pd.DataFrame(compared).assign(**dict(zip(PLACE, place, strict=True)))
        if compared:
            found.append(table.assign(floor=floor, score=score))
    columns = [*PLACE, "model", "floor", "score", "difference", "low", "high"]
    columns += ["p", "p_holm", "n_dialogues", "n_seeds"]
    if not found:
        return pd.DataFrame(columns=columns)
    return with_holm(pd.concat(found))[columns]


def with_holm(table):
    """Correct p for the number of models that are compared at each place."""
    places = table.groupby(PLACE, sort=False, dropna=False)["p"]
    return table.assign(p_holm=places.transform(lambda p: holm(p.to_numpy())))


def is_here(record, rows):
    """Whether the answers of all runs of a model lie on this machine."""
    return all(path.exists() for path in paths_of(record, rows))


def answers_of(record, rows):
    """Read the answers of a model, seed by seed; those of all folds together."""
    answers, rows = {}, rows.sort_values("fold", kind="stable")
    for seed, path in zip(rows["seed"], paths_of(record, rows), strict=True):
        with np.load(path, allow_pickle=False) as file:
            answers.setdefault(seed, []).append(dict(file))
    return answers


def for_all(seeds, answers):
    """Let the answers of a model that was fitted once stand for all seeds."""
    return dict.fromkeys(seeds, next(iter(answers.values())))


def paths_of(record, rows):
    """Return where the answers of runs are kept."""
    identities = rows[IDENTITY].astype(str).itertuples(index=False, name=None)
    return [record.predictions(identity) for identity in identities]


def kept(path, found):
    """Add what was compared before of models that were not compared anew."""
    if not path.exists():
        return found
    before = pd.read_csv(path, keep_default_na=False).astype({"p": float})
    both = pd.concat([before, found]).astype(dict.fromkeys(PLACE, str))
    return with_holm(both.drop_duplicates([*PLACE, "model"], keep="last"))


def paired(own, of_floor, score, n_draws, random_state):
    """Mean difference over the common seeds, with its interval and p, or None."""
    pairs = [(own[seed], of_floor[seed]) for seed in sorted(own.keys() & of_floor)]
    pairs = [(a, b) for a, b in pairs if _names(a) == _names(b)]
    pairs = [pair for pair in pairs if _names(pair[0]) == _names(pairs[0][0])]
    if not pairs:
        return None
    n_dialogues = len(_names(pairs[0][0]))
    rng = np.random.default_rng(random_state)
    weights = rng.multinomial(
        n_dialogues, np.full(n_dialogues, 1 / n_dialogues), n_draws
    )
    weights = np.vstack([np.ones(n_dialogues, int), weights])  # the first is as it is
    gains = [scored(a, score, weights) - scored(b, score, weights) for a, b in pairs]
    gain, *draws = np.mean(gains, axis=0)
    low, high = np.percentile(draws, [2.5, 97.5])
    beyond = min(np.mean(np.array(draws) <= 0), np.mean(np.array(draws) >= 0))
    p = min(1.0, 2 * max(beyond, 1 / (n_draws + 1)))
    counts = {"n_dialogues": n_dialogues, "n_seeds": len(pairs)}
    return {"difference": gain, "low": low, "high": high, "p": p} | counts


def _names(folds):
    """Name the dialogues of all folds."""
    return [name for fold in folds for name in fold["dialogue_names"].tolist()]


def scored(folds, score, weights):
    """Score of each draw of dialogues, all folds together."""
    if "classes" not in folds[0]:
        sums = np.concatenate([errors_by_dialogue(fold) for fold in folds])
        total = weights @ sums
        return total[:, 0] / total[:, 1]
    classes = np.unique(np.concatenate([fold["classes"] for fold in folds]))
    counts = [confusions_by_dialogue(fold, classes) for fold in folds]
    size = len(classes)
    total = (weights @ np.concatenate(counts)).reshape(-1, size, size)
    return f1_of(total, score)


def confusions_by_dialogue(fold, classes):
    """Count what is taken for what in each dialogue: (n_dialogues, n_classes ** 2)."""
    place = np.searchsorted(classes, fold["classes"])
    cell = place[fold["true"]] * len(classes) + place[fold["pred"]]
    counts = np.zeros((len(fold["dialogue_names"]), len(classes) ** 2), int)
    np.add.at(counts, (fold["dialogue"], cell), 1)
    return counts


def errors_by_dialogue(fold):
    """Sum absolute errors, and count the utterances, of each dialogue."""
    errors, n = np.abs(fold["true"] - fold["pred"]), len(fold["dialogue_names"])
    return np.stack(
        [np.bincount(fold["dialogue"], e, n) for e in (errors, np.ones(len(errors)))], 1
    )


def f1_of(confusion, score):
    """Weighted or macro F1 of confusion matrices (n_draws, n_classes, n_classes)."""
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    support, answered = confusion.sum(axis=2), confusion.sum(axis=1)
    together = support + answered
    f1 = np.divide(2 * hits, together, np.zeros(hits.shape), where=together > 0)
    if score == "weighted_f1":
        return (f1 * support).sum(axis=1) / support.sum(axis=1)
    if score == "macro_f1":
        return f1.sum(axis=1) / np.maximum((together > 0).sum(axis=1), 1)
    raise SystemExit(f"Differences are of weighted_f1, macro_f1 or mae, not {score}.")


def holm(p):
    """Holm's step-down correction for the number of comparisons."""
    order = np.argsort(p)
    stepped = p[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(stepped))
    return corrected


def main(given=None):
    """Compare, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=list(STUDIES))
    parser.add_argument("--score", help="weighted_f1 (default), macro_f1 or mae")
    parser.add_argument("--floor", help="by default that of the study")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--out", default=RESULTS, type=Path, help="folder of results")
    arguments = parser.parse_args(given)
    study = STUDIES[arguments.study]
    record = Record(arguments.out, study.name)
    found = compare(
        record,
        study,
        score=arguments.score,
        floor=arguments.floor,
        n_draws=arguments.draws,
    )
    path = arguments.out / f"{study.name}.compared.csv"
    table = kept(path, found)
    table.to_csv(path, index=False, float_format="%.6g")
    anew = table.tail(len(found))
    print(anew.drop(columns=PLACE[1:]).to_string(index=False))


if __name__ == "__main__":
    main()
