"""The main job on generated conversations: ``python -m skmerc.demo``."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmerc._utils.output import leave_output, tell
from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys, mark_validation
from skmerc.metrics import recognition_report
from skmerc.model_selection import DialogueShuffleSplit
from skmerc.recognition import make_cberl

__all__ = ["main"]

_FEWEST = 8
"""Dialogues from which each part gets some."""

_QUICK = {
    "multimodalgansampler__n_steps": 5,
    "multimodalgansampler__hidden_size": 8,
    "djvaefuser__max_epochs": 1,
    "djvaefuser__hidden_size": 8,
    "cberlclassifier__max_epochs": 1,
    "cberlclassifier__hidden_size": 8,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Take generated conversations through CBERL's three steps, and print scores.

    It needs nothing but the installed package: no file, no network, no GPU. With its
    defaults it takes a minute or two.

    Parameters
    ----------
    argv : list of str or None, default=None
        The arguments, which ``--help`` tells; by default those of the process.

    Returns
    -------
    int
        The exit code: 0, or 1 where the output cannot be written or is not read on.

    Raises
    ------
    SystemExit
        With the code 2 if the arguments are wrong, and with 0 after ``--help``.

    See Also
    --------
    skmerc.recognition.make_cberl : The three steps, for tables of your own.

    Examples
    --------
    .. code-block:: bash

        python -m skmerc.demo
    """
    parser = ArgumentParser("python -m skmerc.demo", description=__doc__)
    parser.add_argument(
        "--dialogues",
        type=int,
        default=150,
        help=f"at least {_FEWEST} (default: 150)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all chance")
    parser.add_argument(
        "--quick", action="store_true", help="only show that it runs: scores are poor"
    )
    arguments = parser.parse_args(argv)
    if arguments.dialogues < _FEWEST:
        parser.error(
            f"--dialogues {arguments.dialogues} are too few to learn from, to stop by "
            f"and to test: give at least {_FEWEST}."
        )
    try:
        _show(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        leave_output()
        return 1
    except OSError as error:  # it reads no file: what it prints finds no place
        tell(f"skmerc.demo: error: {error}", sys.stderr)
        leave_output()
        return 1
    return 0


def _show(arguments: Any) -> None:
    X, y, X_test, y_test = _tables(arguments.dialogues, arguments.seed)
    print(f"{len(X)} training and {len(X_test)} test utterances, such as")
    print(X.iloc[:4, :6].to_string(index=False))
    print(pd.Series(y).value_counts().to_string())
    for name, model in _models(arguments.seed, arguments.quick).items():
        answers = model.fit(X, y).predict(X_test)
        report = recognition_report(y_test, answers).round(3)
        print(f"\n{name}\n{report.to_string(na_rep='')}")


def _tables(n_dialogues: int, seed: int) -> tuple[Any, Any, Any, Any]:
    """Generate tables to learn from, with some dialogues for stopping, and to test."""
    X, y = make_conversations(
        n_dialogues, imbalance=8, information=1.2, random_state=seed
    )
    split = DialogueShuffleSplit(1, test_size=0.25, random_state=seed)
    train, test = next(split.split(X, y))
    learned = mark_validation(X.iloc[train], fraction=0.2, random_state=seed)
    return learned, y[train], X.iloc[test], y[test]


def _models(seed: int, quick: bool) -> dict[str, Any]:
    """Two baselines, and the pipeline of sampler, fuser and classifier."""
    row_wise = make_pipeline(
        FunctionTransformer(drop_keys),
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=1000),
    )
    cberl = make_cberl(random_state=seed, verbose=1)
    return {
        "most frequent": DummyClassifier(),
        "logistic regression": row_wise,
        "CBERL, three steps": cberl.set_params(**(_QUICK if quick else {})),
    }


if __name__ == "__main__":
    raise SystemExit(main())
