"""What a system tells of itself: published settings, searches, how it is saved."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any, Self, TypeVar

from sklearn.base import BaseEstimator

_Kind = TypeVar("_Kind", bound=type)

STORABLE: list[type] = []
"""Classes that saved models may name."""


def storable(kind: _Kind) -> _Kind:
    """Let saved models name a class of this package.

    Networks are built anew from settings, and anything else is made without a call and
    given the attributes that stand in the file.
    """
    STORABLE.append(kind)
    return documented(kind) if issubclass(kind, BaseEstimator) else kind


def documented(kind: _Kind) -> _Kind:
    """Let the diagram of an estimator link to its page, where there is a site."""
    # Names that scikit-learn asks other packages to set.
    for name, value in (("module", "skmerc"), ("template", property(_page_of))):
        setattr(kind, f"_doc_link_{name}", value)
    return kind


def _page_of(estimator: Any) -> str:
    """Address of a page, for scikit-learn to write the names into."""
    page = "{estimator_module}.{estimator_name}.html"
    return f"{_site()}/{page}" if _site() else ""


@cache
def _site() -> str:
    """Address of the pages of the API, as the installed package calls it, "API"."""
    try:
        urls = metadata("skmerc").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named = dict(url.split(", ", 1) for url in urls)
    return str(named.get("API", "")).rstrip("/")


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds: integers where the lower one is an integer.

    Parameters
    ----------
    low, high : int or float
        The bounds, of which both may be taken.
    log : bool, default=False
        Whether orders of magnitude count evenly.
    step : int, default=1
        Distance of integers.
    """

    low: float
    high: float
    log: bool = False
    step: int = 1


class PresetMixin:
    """Mixin of estimators that can be made with published settings."""

    _presets: dict = {}

    @classmethod
    def from_preset(cls, name: str, **changes: Any) -> Self:
        """Make an estimator with published settings.

        Parameters
        ----------
        name : str
            Name of a preset; the notes of the class list them.
        **changes
            Parameters that differ from the preset.

        Returns
        -------
        object
            The estimator, not fitted.

        Raises
        ------
        ValueError
            If there is no such preset.
        """
        if name not in cls._presets:
            known = ", ".join(cls._presets)
            raise ValueError(f"No preset {name!r}; there is {known}.")
        return cls(**(cls._presets[name] | changes))
