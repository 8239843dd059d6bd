"""What an estimator tells of its training."""

from collections.abc import Iterable, Sequence

from skmerc._training._measures import BEST_EPOCH


def summaries_of(history: Iterable[dict], before: Sequence[dict] = ()) -> list[dict]:
    """What an estimator tells of its epochs, those of the fits before among them."""
    numbered = enumerate(history, start=len(before) + 1)
    return [*before, *(_summary_of(epoch, number) for number, epoch in numbered)]


def _summary_of(epoch: dict, number: int) -> dict:
    flags = {f"{name}_best" for name in epoch}
    hidden = flags | {BEST_EPOCH, "batches", "train_batch_count", "valid_batch_count"}
    shown = {
        name: value
        for name, value in epoch.items()
        if name not in hidden and not name.startswith("event_")
    }
    return shown | {"epoch": number}
