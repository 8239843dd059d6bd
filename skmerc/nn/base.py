"""What networks of dialogues and their losses promise to estimators."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skmerc.nn.blocks import BlockReader


class Reach(NamedTuple):
    """How many turns before and behind an utterance its answer depends on.

    Parameters
    ----------
    past, future : int or None
        Numbers of turns; None where there is no bound.
    """

    past: int | None
    future: int | None

    @classmethod
    def of(cls, *windows: tuple[int | None, int | None]) -> "Reach":
        """Add up the windows of layers that stand one upon the other.

        Parameters
        ----------
        *windows : pair of int or None
            Turns before and behind that a layer sees; None or -1 for all.
        """
        sides = zip(*windows, strict=True) if windows else ((), ())
        return cls(*(None if None in s or -1 in s else sum(s) for s in sides))


class DialogueNetwork(nn.Module):
    """Base of the networks that estimators train on whole dialogues.

    Its ``forward`` takes utterances, dialogue after dialogue, and returns a named
    tuple. That has ``logits`` of shape (n, n_outputs), ``embedding`` of shape
    (n, embedding_size), and whatever else the :class:`DialogueLoss` reads. A subclass
    calls ``super().__init__(reader)`` and sets ``embedding_size``. It draws random
    numbers by ``skmerc._utils.random`` only, and in evaluation mode an answer
    depends on nothing but the dialogue of its utterance. What an estimator has as a
    parameter a network takes under the same name, without a default of its own.

    Parameters
    ----------
    reader : dict
        Parameters of the :class:`~skmerc.nn.blocks.BlockReader`, which standardises
        raw features and takes modalities apart.
    """

    embedding_size: int

    @property
    def reach(self) -> Reach:
        """How far an answer looks back and ahead; no bounds unless a subclass has some.

        A subclass whose answers do not look ahead defines :meth:`step`.
        """
        return Reach(None, None)

    def __init__(self, reader: dict) -> None:
        super().__init__()
        self.reader = BlockReader(**reader)

    def forward(self, features: Tensor, sequence: Tensor, speaker: Tensor) -> tuple:
        """Recognise the emotions of whole dialogues.

        A network that also names ``mask_weight`` gets in training, for each utterance,
        the share of its class in the loss; without it all count alike.

        Parameters
        ----------
        features : Tensor of shape (n, n_features)
            Raw features, NaN where missing, dialogue after dialogue.
        sequence : Tensor of shape (n,)
            Number of the dialogue of each utterance: 0, 0, 1, ...
        speaker : Tensor of shape (n,)
            Code of the speaker of each utterance.
        """
        raise NotImplementedError

    def step(
        self, features: Tensor, speaker: int, state: tuple | None
    ) -> tuple[tuple, tuple]:
        """Recognise the emotion of the next utterance of one dialogue.

        Parameters
        ----------
        features : Tensor of shape (1, n_features)
            Its raw features, NaN where missing.
        speaker : int
            The speaker, numbered in the order in which they first speak.
        state : tuple or None
            What the last call returned; None at the beginning of the dialogue.

        Returns
        -------
        output : tuple
            As ``forward`` returns it, of one utterance; what only training needs may
            be left out.
        state : tuple
            What is remembered of the dialogue.
        """
        raise NotImplementedError


class DialogueLoss(nn.Module):
    """Base of the losses of dialogues: a weighted sum of terms that history names.

    A subclass defines ``losses(output, answer)``, which returns a dict of terms, and
    ``factors``, the factor of each term that does not count as it is.

    Parameters
    ----------
    logit_shift : list of float or None, default=None
        What is added to the logits of each class before the terms are computed, as
        the logit adjustment of classifiers wants it. A loss that names it gets it.
    """

    factors: dict[str, float]
    terms: dict[str, Tensor]
    logit_shift: Tensor | None

    def __init__(self, logit_shift: list[float] | None = None) -> None:
        super().__init__()
        self.factors, self.terms = {}, {}
        shift = None if logit_shift is None else torch.tensor(logit_shift)
        self.register_buffer("logit_shift", shift, persistent=False)

    def losses(self, output: Any, answer: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the terms over the labelled utterances.

        Parameters
        ----------
        output : tuple
            What the network has returned.
        answer : dict of str to Tensor
            ``target``, the class or value of each utterance; ``weight``, the factor on
            its loss, 0 where it is only context; and ``copy``, whether it stands in a
            copy of its dialogue with synthetic utterances.

        Returns
        -------
        dict of str to Tensor of shape ()
            The terms, under the names that history gives them.
        """
        raise NotImplementedError

    def forward(self, output: Any, answer: dict[str, Tensor]) -> Tensor:
        """Add up the terms, and keep them in ``terms`` for the history."""
        if self.logit_shift is not None:
            output = output._replace(logits=output.logits + self.logit_shift)
        found = self.losses(output, answer)
        self.terms = {name: value.detach() for name, value in found.items()}
        return sum(  # type: ignore[return-value]  # there is a term at least
            self.factors.get(name, 1.0) * found[name] for name in found
        )
