"""Scores of a run, and what some studies measure besides."""

import numpy as np
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors

from skmerc.metrics import (
    emotion_shift_f1,
    emotion_shifts,
    mean_average_distance,
    minority_classes,
    recognition_report,
    scores_by_group,
    weighted_f1,
)

SUMMARIES = {
    "weighted_f1": ("weighted F1", "f1"),
    "macro_f1": ("macro F1", "f1"),
    "minority_f1": ("minority F1", "f1"),
    "balanced_accuracy": ("balanced accuracy", "recall"),
    "accuracy": ("accuracy", "f1"),
    "ece": ("accuracy", "ece"),
}
NEIGHBOURS = 10


def emotion_scores(division, answer, probabilities, classes):
    """All scores of emotions, and F1 of each class.

    The minority are the classes rarer than the mean class of the training rows.
    """
    rows = labelled(division.X_test)
    truth = division.y_test[rows]
    learned = division.y[labelled(division.X)]
    rare = [c for c in minority_classes(learned) if c in set(truth)]
    report = recognition_report(
        division.y_test,
        answer,
        X=division.X_test,
        minority=rare or None,
        y_prob=probabilities,
        classes=classes,
    )
    scores = {
        name: float(report.loc[line, column])
        for name, (line, column) in SUMMARIES.items()
    }
    if not rare:
        scores["minority_f1"] = np.nan
    shifts = emotion_shifts(division.X_test, division.y_test).any()
    told = division.y_test, answer
    found = emotion_shift_f1(*told, X=division.X_test) if shifts else np.nan
    per_class = {str(c): float(report.loc[c, "f1"]) for c in np.unique(truth)}
    return scores | {"shift_f1": found, "per_class": per_class}


def score_scores(division, answer):
    """Return the mean absolute error and the correlation of scores."""
    truth = division.y_test
    spread = answer.std() * truth.std()
    together = np.mean((answer - answer.mean()) * (truth - truth.mean()))
    return {
        "mae": float(np.abs(answer - truth).mean()),
        "correlation": float(together / spread) if spread else 0.0,
    }


def labelled(X):
    """Tell which rows have a label."""
    return (X["dialogue__role"] != "context").to_numpy()


def over_smoothing(model, division):
    """Measure how far embeddings of a dialogue lie apart, 0 where all are the same."""
    X = division.X_test
    return {"distance": mean_average_distance(model.transform(X), X["dialogue__id"])}


def representation(model, division):
    """Measure how each class stands apart in the embeddings of test utterances.

    Silhouette; margin, how much nearer (in shares of the distance) the centre of
    another class is than one's own; and the share of a class among the ten nearest
    neighbours of its utterances.
    """
    rows = labelled(division.X_test)
    values, labels = model.transform(division.X_test)[rows], division.y_test[rows]
    classes, counts = np.unique(labels, return_counts=True)
    kept = np.isin(labels, classes[counts > 1])  # one utterance is no cluster
    values, labels = values[kept], labels[kept]
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        return {}
    measured = {
        "silhouette": silhouette_samples(values, codes),
        "margin": margins(values, codes),
        "purity": purity(values, codes),
    }
    return {
        f"{name} {label}": float(found[codes == code].mean())
        for name, found in measured.items()
        for code, label in enumerate(classes)
    }


def margins(values, codes):
    """Measure how much nearer than the nearest other centre one's own centre is."""
    centres = [values[codes == code].mean(axis=0) for code in np.unique(codes)]
    distance = np.linalg.norm(values[:, None] - centres, axis=2)
    own = distance[np.arange(len(codes)), codes].copy()
    distance[np.arange(len(codes)), codes] = np.inf
    other = distance.min(axis=1)
    return (other - own) / np.maximum(np.maximum(own, other), 1e-12)


def purity(values, codes):
    """Measure the share of the own class among the nearest neighbours."""
    number = min(NEIGHBOURS, len(values) - 1)
    near = NearestNeighbors(n_neighbors=number).fit(values).kneighbors()[1]
    return (codes[near] == codes[:, None]).mean(axis=1)


def sample_qualities(model, division):
    """Return how synthetic utterances compare with real ones."""
    return model.qualities_


def by_speakers(model, division):
    """Weighted F1 of speakers by sex, where ids tell it, and of new ones."""
    X, answer = division.X_test, model.predict(division.X_test)
    who = X["dialogue__speaker"]
    known = who.isin(division.X["dialogue__speaker"])
    found = {}
    for groups in (np.where(known, "seen", "unseen"), who.str.extract(r"_([FM])$")[0]):
        table = scores_by_group(
            division.y_test, answer, groups, X=X, scores={"weighted F1": weighted_f1}
        ).drop(["(all)", "(unknown)"], errors="ignore")
        found |= {f"weighted F1 {n}": f1 for n, f1 in table["weighted F1"].items()}
    return found
