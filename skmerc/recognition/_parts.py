"""Fitted models taken apart into what transforms a table and what answers."""

from typing import Any, NamedTuple

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skmerc.features import TextEmbedder


class Parts(NamedTuple):
    """A fitted model taken apart.

    Attributes
    ----------
    transformers : list
        What stands before the last step; samplers are left out, since they do nothing
        when a model answers.
    last : object
        What answers.
    """

    transformers: list
    last: Any

    @property
    def first(self) -> Any:
        """What reads the table."""
        return [*self.transformers, self.last][0]


def parts_of(model: Any) -> Parts:
    """Take a fitted model apart; the best one that a search has found.

    Of an :class:`skmerc.EmotionRecognizer` it is the pipeline that was chosen.
    """
    check_is_fitted(model)
    if hasattr(model, "cv_results_") and not hasattr(model, "best_estimator_"):
        raise ValueError(
            f"{type(model).__name__} keeps no model, since it was made with "
            "refit=False. Let it refit, or fit the model that it found and give that."
        )
    model = getattr(model, "best_estimator_", model)
    model = getattr(model, "pipeline_", model)
    if not isinstance(model, Pipeline):
        return Parts([], model)
    steps = [step for _, step in model.steps[:-1] if hasattr(step, "transform")]
    last = parts_of(model.steps[-1][1])
    return Parts([*steps, *last.transformers], last.last)


def is_embedder(transformer: Any) -> bool:
    """Tell whether it turns texts into features."""
    return isinstance(transformer, TextEmbedder)


def columns_of_texts(transformer: Any) -> list[str]:
    """Columns that a text embedder inside reads, keys among them."""
    if isinstance(transformer, Pipeline):
        return columns_of_texts(transformer.steps[0][1])
    if not isinstance(transformer, ColumnTransformer):
        return []
    found = []
    for _, inner, columns in transformer.transformers_:
        first = inner.steps[0][1] if isinstance(inner, Pipeline) else inner
        if is_embedder(first):
            found += [columns] if isinstance(columns, str) else list(columns)
    return found
