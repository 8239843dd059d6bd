"""What is compared: a study is a question, and named pipelines that answer it."""

from collections.abc import Callable
from dataclasses import dataclass

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
    kind : {"emotions", "scores", "transfer", "together"}
        What the labels are, or what is done with several corpora.
    """

    name: str
    question: str
    pipelines: Callable
    floor: str
    measure: Callable | None = None
    kind: str = "emotions"


def study(floor, *, measure=None, kind="emotions"):
    """Register what a function returns, under its name, with its docstring."""

    def register(build):
        name = build.__name__.replace("_", "-")
        question = " ".join(build.__doc__.split())
        STUDIES[name] = Study(name, question, build, floor, measure, kind)
        return build

    return register


from benchmark.studies import both, cberl, joyful  # noqa: E402, F401
