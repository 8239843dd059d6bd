"""One network trained by several processes, through Hugging Face accelerate."""

from collections.abc import Iterator
from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from skorch import NeuralNet
from skorch.hf import AccelerateMixin
from skorch.utils import to_tensor

from skmerc._training._batches import Batch, DialogueLoader
from skmerc._training._net import DialogueNet
from skmerc._utils.random import current_source

_OF_MIXIN = ("accelerator", "unwrap_after_train")


def check_parallel(estimator: Any) -> None:
    """Refuse to train with an accelerator what processes would not train alike."""
    accelerator = (estimator.net_params or {}).get("accelerator")
    if accelerator is None:
        return
    if not hasattr(accelerator, "prepare"):
        raise TypeError(
            f"net_params['accelerator'] is {accelerator!r}; give an instance of "
            "accelerate.Accelerator."
        )
    if not isinstance(estimator.random_state, Integral):
        raise ValueError(
            "An accelerator needs an integer random_state, or its processes would "
            f"draw other numbers each; it is {estimator.random_state!r}."
        )
    if estimator.checkpoint is not None:
        raise ValueError(
            "An accelerator and a checkpoint do not go together; use checkpoint=None."
        )


class SharedLoader:
    """Iterate over one process's share of each batch of dialogues.

    The `loader` gives the same batches in all of the `n_processes`.
    """

    def __init__(self, loader: DialogueLoader, index: int, n_processes: int) -> None:
        self.loader, self.index, self.n_processes = loader, index, n_processes
        self.weights = loader.dataset.dialogue_weights()

    def __iter__(self) -> Iterator[Batch]:
        for which in self.loader.batches():
            yield self._batch(which)

    def _batch(self, which: np.ndarray) -> Batch:
        own = which[self.index :: self.n_processes]
        # All processes take every step, so one without dialogues borrows a first one.
        inputs, answer = self.loader.dataset.batch(own if len(own) else which[:1])
        # The mean of the processes' losses is then the loss of the whole batch.
        factor = self.n_processes * self.weights[own].sum() / self.weights[which].sum()
        return inputs, answer | {"factor": torch.tensor(factor, dtype=torch.float32)}


class ParallelNet(AccelerateMixin, DialogueNet):
    """A net that several processes train, each on its share of every batch.

    Its module stays as it is, so that callbacks and validation know nothing of the
    others. What the history says of a batch holds for the whole batch.
    """

    optimizer_: Any

    def __init__(self, *args: Any, accelerator: Any, **settings: Any) -> None:
        # The method of the mixin is for nets that print a log.
        DialogueNet.__init__(self, *args, **settings)
        self.accelerator, self.unwrap_after_train = accelerator, False

    def _initialize_callbacks(self) -> Self:
        return DialogueNet._initialize_callbacks(self)

    def initialize(self) -> Self:
        """Build all parts, on the device of this process."""
        DialogueNet.initialize(self)
        place = self.accelerator.device
        # Tensors on accelerate's "cpu:0" could not be unpickled elsewhere.
        self.device = "cpu" if place.type == "cpu" else str(place)
        self.module_.to(self.device)
        return self

    def fit_loop(self, *args: Any, **settings: Any) -> Self:
        """Train together with the other processes."""
        if index := self.accelerator.process_index:
            # All processes drew the same weights; later draws must differ.
            source: Any = current_source()
            source.start_from(source.seed + index)
        if self.accelerator.ddp_handler is None:
            from accelerate.utils import DistributedDataParallelKwargs

            # A share may leave parts of a network unused, such as those of a modality
            # that it lacks.
            handler = DistributedDataParallelKwargs(find_unused_parameters=True)
            self.accelerator.ddp_handler = handler
        alone = self.optimizer_
        together, self.optimizer_ = self.accelerator.prepare(
            self.module_, alone, device_placement=[False, False]
        )
        self._forward = together.__call__
        try:
            return super().fit_loop(*args, **settings)
        finally:
            self.accelerator.unwrap_model(together, keep_fp32_wrapper=False)
            self.accelerator.free_memory()
            self.optimizer_ = alone
            del self._forward

    def infer(self, x: dict, **settings: Any) -> Any:
        """Pass a batch through the module that gathers gradients of all processes."""
        return self._forward(**to_tensor(x, self.device))

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Iterate over the share of this process in training."""
        loader = DialogueNet.get_iterator(self, dataset, training)
        if not training:
            return loader
        place = self.accelerator.process_index, self.accelerator.num_processes
        return SharedLoader(loader, *place)

    def get_loss(
        self, y_pred: Any, y_true: dict, *args: Any, **settings: Any
    ) -> torch.Tensor:
        """Weigh the loss of the share and its terms by what it is of the batch."""
        factor = y_true["factor"].to(self.device)
        loss = factor * super().get_loss(y_pred, y_true, *args, **settings)
        terms = self.criterion_.terms
        self.criterion_.terms = {k: factor * value for k, value in terms.items()}
        return loss

    def on_batch_end(
        self,
        net: NeuralNet,
        batch: Any = None,
        training: bool = False,
        loss: Any = None,
        **settings: Any,
    ) -> None:
        """Write into the history what all processes know of the batch together."""
        super().on_batch_end(net, batch, training, **settings)
        criterion, counts = self.criterion_, bool(batch[1]["factor"])
        size = len(batch[1]["weight"]) * counts
        known = {"train_loss": loss.detach(), "train_batch_size": size}
        if hasattr(criterion, "weight"):
            known["weight"] = criterion.weight * counts
        known = self.agree(known | criterion.terms)
        for name in ("train_loss", "train_batch_size"):
            self.history.record_batch(name, known.pop(name))
        if "weight" in known:
            criterion.weight = torch.tensor(known.pop("weight"))
        criterion.terms = {name: torch.tensor(value) for name, value in known.items()}

    def agree(self, known: dict) -> dict[str, float]:
        """Mean of what each process knows under some names, as floats.

        Of scores too: each process scores all held-out dialogues, but GPUs may round
        differently, and all must stop at the same time.
        """
        as_tensor = partial(torch.as_tensor, dtype=torch.float32, device=self.device)
        values = torch.stack([as_tensor(value) for value in known.values()])
        values = self.accelerator.reduce(values, "mean")
        return dict(zip(known, values.tolist(), strict=True))


def without_accelerator(net: NeuralNet) -> NeuralNet:
    """Turn a net that is trained into one of skorch's own, which can be pickled."""
    if not isinstance(net, ParallelNet):
        return net
    plain = NeuralNet.__new__(NeuralNet)
    vars(plain).update((k, v) for k, v in vars(net).items() if k not in _OF_MIXIN)
    vars(plain).update(net.after_training())
    return plain
