"""What an explanation holds."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

_SHOWN = 5
"""Lines of each part that are printed."""


@dataclass(frozen=True)
class Explanation:
    """Why a model answers so for one utterance.

    Effects are in units of `outcome`: what it loses without the part, or the
    part's share in it by integrated gradients. Above 0 the part speaks for the target.

    Parameters
    ----------
    row : object
        Index label of the utterance.
    target : object
        The class that is explained; None of a regressor.
    outcome : float
        Its probability, or the score of a regressor.
    baseline : float or None
        The outcome where every feature is its mean in training, by integrated
        gradients: the effects of all turns, and those of all modalities, add up to
        outcome minus baseline. None by occlusion, whose effects add up to nothing.
    method : str
        ``"occlusion"`` or ``"integrated_gradients"``.
    turns : DataFrame of shape (n_turns, 4)
        The dialogue in its order, by the index labels of its rows: ``"turn"``,
        ``"speaker"``, ``"role"`` and ``"effect"``.
    speakers : DataFrame of shape (n_speakers, 2)
        By speaker: ``"turns"``, how many there are, and ``"effect"`` of all of them.
    modalities : DataFrame of shape (n_modalities, 2)
        By modality: ``"effect"`` of it in all turns, and ``"own"``, of it in the
        utterance that is explained alone.
    words : DataFrame of shape (n_words, 3) or None
        The words of the utterance in their order: ``"column"``, ``"word"`` and
        ``"effect"``. None where no text is read, and by integrated gradients.
    """

    row: Any
    target: Any
    outcome: float
    baseline: float | None
    method: str
    turns: pd.DataFrame
    speakers: pd.DataFrame
    modalities: pd.DataFrame
    words: pd.DataFrame | None

    def __str__(self) -> str:
        said = self.turns.loc[self.row]
        what = "score" if self.target is None else f"probability of {self.target}"
        lines = [
            f"Turn {said['turn']} ({said['speaker'] or 'unknown speaker'}): {what} "
            f"{self.outcome:.3f}, by {self.method.replace('_', ' ')}"
        ]
        turns = self.turns.set_axis(
            [
                f"{turn} {who}"
                for turn, who in self.turns[["turn", "speaker"]].to_numpy()
            ]
        )
        lines += _strongest("turns", turns["effect"])
        lines += _strongest("speakers", self.speakers["effect"])
        lines += _strongest("modalities", self.modalities["effect"])
        if self.words is not None:
            words = self.words.set_index("word")["effect"]
            lines += _strongest("words", words)
        return "\n".join(lines)


def _strongest(title: str, effects: pd.Series) -> list[str]:
    order = (-effects.abs()).to_numpy().argsort(kind="stable")[:_SHOWN]
    shown = [(str(effects.index[at]) or "unknown", effects.iloc[at]) for at in order]
    width = max((len(name) for name, _ in shown), default=0)
    rest = len(effects) - len(shown)
    lines = [f"  {title}", *(f"    {n:{width}}  {effect:+.3f}" for n, effect in shown)]
    return [*lines, f"    and {rest} more"] if rest else lines
