"""Findings of :func:`check_table` in labels and classes."""

from skmerc.datasets.formats._csv_files import EMPTY_WORDS
from skmerc.datasets.tables._table_view import ERROR, NOTE, WARNING, Finding, shown
from skmerc.frame._columns import KEYS, source_ids
from skmerc.frame._texts import find_spellings

RARE = 20
"""Utterances of a class below which its scores are luck."""
_MOST = 0.9
_SEPARATORS = ("|", ";", ",", "/", "+")
_NO_LABELS = {*map(str.lower, EMPTY_WORDS), "?", "-", "unknown", "unk", "xxx"}


def find_in_labels(view, n_splits):
    """List findings in the labels."""
    return [*_find_in_labels(view), *_find_in_classes(view, n_splits)]


def _find_in_labels(view):
    labels = view.labels
    if labels is None:
        how = "give y, unless the table is for predictions"
        yield Finding(NOTE, "no labels are given", "y", 0, how)
        return
    known = labels.notna()
    share = known.mean() if len(known) else 0
    yield Finding(
        NOTE if known.any() else ERROR,
        f"{known.sum()} of {len(known)} utterances have a label ({share:.0%})",
        "y",
        int(known.sum()),
        "" if known.all() else "the others are read as context, not learned from",
    )
    role = view.keys[KEYS[3]]
    bare = ~known & (role != "context")
    if bare.any() and known.any():
        yield Finding(
            ERROR,
            f"{bare.sum()} utterances without a label have not the role 'context'",
            f"y, {shown(bare)}",
            int(bare.sum()),
            "give them this role, or leave them out",
        )
    for group in find_spellings(labels):
        told = ", ".join(f"{text!r} ({n})" for text, n in group.items())
        yield Finding(
            WARNING,
            f"labels differ only in case or blanks: {told}",
            "y",
            sum(group.values()),
            "to_frame(normalize_labels=True) writes them in one way",
        )
    for name in view.classes:
        if str(name).strip().lower() in _NO_LABELS:
            yield Finding(
                WARNING,
                f"the class {name!r} looks like a missing label",
                "y",
                int(view.classes[name].sum()),
                "write None there if it is",
            )


def _find_in_classes(view, n_splits):
    sizes = {name: int(rows.sum()) for name, rows in view.classes.items()}
    if not sizes:
        return
    total = int(view.labels.notna().sum())
    told = sorted(sizes.items(), key=lambda item: -item[1])
    names = ", ".join(f"{name!r} {size} ({size / total:.0%})" for name, size in told)
    yield Finding(NOTE, f"classes: {names}"[:600], "y", len(sizes))
    (most, size), several = told[0], len(sizes) > 1
    if not several:
        how = "a classifier needs two classes or more"
        yield Finding(ERROR, f"all labels are {most!r}", "y", size, how)
    elif size > _MOST * total:
        yield Finding(
            WARNING,
            f"{size / total:.0%} of the labels are {most!r}",
            "y",
            size,
            "look at macro F1 and at each class, not at accuracy",
        )
    yield from _find_joined(sizes)
    dialogue = source_ids(view.keys[KEYS[0]])
    for name, size in told:
        n_dialogues = dialogue[view.classes[name]].nunique()
        where = f"y, class {name!r}"
        if several and n_dialogues < n_splits:
            yield Finding(
                WARNING,
                f"{name!r} stands in {n_dialogues} dialogues, fewer than {n_splits} "
                "folds: some folds have none of it",
                where,
                n_dialogues,
                "take fewer folds, join it with another class, or label more",
            )
        elif several and size < RARE:
            yield Finding(
                WARNING,
                f"{name!r} has {size} utterances, too few to tell its score from luck",
                where,
                size,
                "join it with another class, or label more",
            )


def _find_joined(sizes):
    """Find labels that seem to be lists of others."""
    for separator in _SEPARATORS:
        joined = [
            name
            for name in sizes
            if separator in str(name)
            and {part.strip() for part in str(name).split(separator)} <= {*sizes}
        ]
        if joined:
            yield Finding(
                WARNING,
                f"the labels {', '.join(map(repr, joined[:3]))} join others by "
                f"{separator!r}",
                "y",
                sum(sizes[name] for name in joined),
                "if utterances have several labels, give JoyfulClassifier an indicator "
                "matrix: MultiLabelBinarizer().fit_transform([label.split("
                f"{separator!r}) for label in y])",
            )
