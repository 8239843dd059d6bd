"""What is compared: a study is a question, and named pipelines that answer it."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmark.floors import WITHOUT_SEED

STUDIES = {}


@dataclass(frozen=True)
class Study:
    """A list of named pipelines.

    Parameters
    ----------
    name, question : str
        What the command line calls it, and what it asks.
    pipelines : callable
        A function of the :class:`corpora.Table` that returns functions of the seed,
        which make estimators, under their names.
    floor : str
        The pipeline that others are compared with.
    measure : callable or None
        More measures: a function of the fitted model and the division.
    kind : {"emotions", "scores", "text", "transfer", "together"}
        What the labels are, whether the words are read as they were said, or what is
        done with several corpora.
    without_seed : frozenset of str
        The pipelines that do not depend on a seed, and so are fitted once.
    """

    name: str
    question: str
    pipelines: Callable
    floor: str
    measure: Callable | None = None
    kind: str = "emotions"
    without_seed: frozenset = WITHOUT_SEED


def study(floor, **how):
    """Register what a function returns, under its name, with its docstring."""

    def register(build):
        name = build.__name__.replace("_", "-")
        question = " ".join(build.__doc__.split())
        STUDIES[name] = Study(name, question, build, floor, **how)
        return build

    return register


from benchmark.studies import both, cberl, joyful, text  # noqa: E402, F401
