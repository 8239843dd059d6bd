"""The commands; each takes the arguments and returns the exit code."""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skmerc._utils.optional import need
from skmerc._utils.output import takes_words
from skmerc.cli._reading import columns_to_learn, how_to_read, read
from skmerc.cli._words import as_options, tell
from skmerc.cli._writing import format_of, refuse_out, write
from skmerc.config import config_context
from skmerc.datasets import TableCheck, check_table
from skmerc.datasets._corpus import TEXT
from skmerc.frame import KEYS
from skmerc.metrics import recognition_report

_READING = "reading_"
"""Attribute of a model that tells how the table was read that it was fitted on."""


def check(arguments: Namespace) -> int:
    """Say what to know of a table; 1 if fitting would fail or be wrong."""
    format_ = format_of(arguments, "text")
    how = how_to_read(arguments)
    X, y = read(arguments.file, how)
    found = _in_options(check_table(X[columns_to_learn(how)], y))
    write(found.findings, repr(found), arguments.out, format_)
    return int((found.findings["severity"] == "error").any())


def fit(arguments: Namespace) -> int:
    """Fit a recogniser and save it."""
    from skmerc.persistence import save_model
    from skmerc.recognizer import EmotionRecognizer

    refuse_out(arguments)
    need("persistence", "skops.io", "safetensors.torch")
    how = how_to_read(arguments)
    X, y = _read_with_labels(arguments.file, how)
    paths = {name: how[name] for name in ("audio", "video") if how.get(name)}
    model = EmotionRecognizer(
        text=TEXT,
        **paths,
        embedder=_embedder(arguments),
        random_state=arguments.seed,
        device=arguments.device,
    )
    with _progress(arguments) as is_shown:
        model.fit(X[columns_to_learn(how)], y)
    if not is_shown:  # with the bars
        for step, why in model.choices_.items():
            tell(f"{step}: {as_options(why)}")
    setattr(model, _READING, how)
    save_model(model, arguments.out)
    tell(f"The model is in {arguments.out}.")
    return 0


def predict(arguments: Namespace) -> int:
    """Write the emotion of each utterance and the probabilities of all."""
    format_ = format_of(arguments, "csv")
    model = _load(arguments)
    how = how_to_read(arguments, getattr(model, _READING, None))
    X, _ = read(arguments.file, how, labelled=False)
    with _progress(arguments):
        emotions, p = _answers(model, X[columns_to_learn(how)])
    answers = X.drop(columns=KEYS[3]).reset_index(drop=True).assign(emotion=emotions)
    answers = answers.join(p.add_prefix("p_"))
    write(answers, "", arguments.out, format_)
    return 0


def report(arguments: Namespace) -> int:
    """Score a model."""
    format_ = format_of(arguments, "text")
    model = _load(arguments)
    how = how_to_read(arguments, getattr(model, _READING, None))
    X, y = _read_with_labels(arguments.file, how)
    with _progress(arguments):
        emotions, p = _answers(model, X[columns_to_learn(how)])
    y = _plain(y)
    if _hold_text(y) != _hold_text(p.columns):
        y, emotions, p.columns = map(_as_text, (y, emotions, p.columns))
    scores = recognition_report(y, emotions, X=X, y_prob=p)
    text = scores.round(3).to_string(na_rep="")
    write(scores.reset_index(names="class"), text, arguments.out, format_)
    return 0


def _plain(labels: Any) -> Any:
    """Write whole numbers as such: beside a missing label they are 1.0 and 2.0."""
    labels = np.asarray(labels)
    known = ~pd.isna(labels)
    if labels.dtype.kind != "f" or (labels[known] % 1).any():
        return labels
    return labels.astype(int) if known.all() else _each(int, labels)


def _hold_text(labels: Any) -> bool:
    return any(isinstance(label, str) for label in labels)


def _as_text(labels: Any) -> Any:
    """Write labels as files of text have them.

    A column of 1 and 2 reads as numbers, and beside one "unsure" it is text.
    """
    return _each(str, labels)


def _each(kind: Callable, labels: Any) -> np.ndarray:
    values = [None if pd.isna(label) else kind(label) for label in labels]
    return np.array(values, dtype=object)


def _in_options(found: TableCheck) -> TableCheck:
    """Write options where findings name parameters."""
    findings = found.findings.map(
        lambda cell: as_options(cell) if isinstance(cell, str) else cell
    )
    return TableCheck(list(findings.itertuples(index=False, name=None)))


def _read_with_labels(path: str, how: dict[str, Any]) -> tuple[Any, Any]:
    X, y = read(path, how)
    if y is None:
        raise ValueError(
            f"{path}: no utterance has a label in {how.get('label', 'label')!r}. Name "
            "the column of emotions, --label; skmerc check tells what is in a table."
        )
    return X, y


def _embedder(arguments: Namespace) -> Any:
    """Make what reads texts; a folder is known wherever the model is used later."""
    from skmerc.features import FineTunedTextEmbedder

    name = arguments.model
    if name is not None and Path(name).is_dir():
        name = str(Path(name).resolve())
    if not arguments.fine_tune:
        return "auto" if name is None else name
    given = {} if name is None else {"model": name}
    return FineTunedTextEmbedder(
        **given, random_state=arguments.seed, device=arguments.device
    )


def _load(arguments: Namespace) -> Any:
    """Load a model; its sentence model may have moved."""
    from skmerc.features import TextEmbedder
    from skmerc.persistence import load_model

    model = load_model(arguments.model_file)
    if arguments.model is not None:
        for part in _parts(model):
            if type(part) is TextEmbedder:
                part.set_params(model=arguments.model)
    return model


def _parts(model: Any) -> Iterator[Any]:
    """Fitted steps of a model, those of its column transformers too."""
    steps = getattr(getattr(model, "pipeline_", model), "steps", [])
    for _, step in steps:
        yield from getattr(step, "named_transformers_", {}).values()
        yield step


def _answers(model: Any, X: pd.DataFrame) -> tuple[Any, pd.DataFrame]:
    """Compute the emotion of each row, and a column of probabilities for each class."""
    answers = model.predict(X)
    if answers.ndim > 1 or not hasattr(model, "predict_proba"):
        raise ValueError(
            f"The model is a {type(model).__name__} that does not name one emotion for "
            "each utterance, with probabilities. Use it in Python: "
            "skmerc.persistence.load_model."
        )
    p = pd.DataFrame(model.predict_proba(X), columns=_plain(model.classes_))
    return _plain(answers), p


@contextmanager
def _progress(arguments: Namespace) -> Iterator[bool]:
    """Show bars to people; nothing but results goes to the standard output."""
    is_terminal = takes_words(sys.stderr) and sys.stderr.isatty()
    is_shown = arguments.verbose or is_terminal
    with config_context(verbose=int(is_shown)), redirect_stdout(sys.stderr):
        yield is_shown
