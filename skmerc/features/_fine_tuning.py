"""Fitting a sentence model to labels: by which texts, in which folds, and how."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from sklearn.model_selection import GroupKFold
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length
from torch import nn
from torch.nn import functional as F

from skmerc._utils.divergence import refuse_divergence
from skmerc._utils.progress import progress, title
from skmerc._utils.random import Source
from skmerc.features._fine_tuning_checkpoint import ModelFile
from skmerc.features._layers import LowerLayers
from skmerc.features._reading import count_tokens, embed, prepare
from skmerc.frame._columns import source_ids
from skmerc.frame._labels import by_class, read_labels

IN_NO_FOLD = -1

_WARMUP = 0.1
_LR, _WIDTH = 1e-4, 384
"""The rate that was chosen for a model, and how wide that one is."""
_LR_OF_HEAD = 1e-3
_LONGEST_GRADIENT = 1.0
_SMALLEST = 1e-12
_BATCHES_SORTED_TOGETHER = 30


def read_classes(
    y: ArrayLike | None, texts: list, role: pd.Series
) -> tuple[np.ndarray, np.ndarray]:
    """Read the classes, and the number of that of each text; -1 where none is learned.

    Texts are learned from where there is one (not None) in a row of role "utterance".
    """
    if y is None:
        raise ValueError(
            "requires y to be passed, but the target y is None: there is nothing "
            "to fine-tune to. TextEmbedder needs no labels."
        )
    check_consistent_length(texts, y)
    y = read_labels(y, (role == "context").to_numpy())
    if y.ndim > 1 and y.shape[1] > 1:
        raise ValueError(
            f"y has the shape {y.shape}; FineTunedTextEmbedder takes one emotion "
            "for each text. Give it the most telling one, or use TextEmbedder."
        )
    has_text = np.array([text is not None for text in texts], bool)
    learned = has_text & (role == "utterance").to_numpy()
    known = y.ravel()[learned]
    if len(known):
        check_classification_targets(known)
    label = np.full(len(texts), -1)
    classes, label[learned] = np.unique(known, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{len(known)} rows can be learned from, those of the role 'utterance' "
            f"with a text, and they have {len(classes)} classes; two are needed."
        )
    return classes, label


def deal_dialogues(
    dialogue: pd.Series, label: np.ndarray, n_folds: int | None, seed: int
) -> np.ndarray:
    """Deal the dialogues that are learned from to folds, at random.

    The fold of each row is returned, also of those rows of a dialogue that are not
    learned from; -1 in dialogues without any that is (whose `label` is -1 throughout),
    and everywhere where `n_folds` is None. Synthetic dialogues go with their source.
    """
    if n_folds is None:
        return np.full(len(label), IN_NO_FOLD)
    source = source_ids(dialogue)
    groups = source[label >= 0]
    if groups.nunique() < n_folds:
        raise ValueError(
            f"There are {groups.nunique()} dialogues to learn from, fewer than "
            f"cv={n_folds}. Lower cv, or set cv=None to train one model on all."
        )
    folds = GroupKFold(n_folds, shuffle=True, random_state=seed)
    fold: dict[str, int] = {}
    for number, (kept, held_out) in enumerate(folds.split(groups, groups=groups)):
        if len(np.unique(label[label >= 0][kept])) < 2:
            raise ValueError(
                f"Without {groups.iloc[held_out].nunique()} of {groups.nunique()} "
                "dialogues one class is left to learn: the others are in these alone. "
                "Give more dialogues, another random_state, or cv=None."
            )
        fold |= dict.fromkeys(groups.iloc[held_out], number)
    return source.map(fold).fillna(IN_NO_FOLD).to_numpy(int)


def weigh_classes(
    class_weight: dict | str | None, classes: np.ndarray, label: np.ndarray
) -> torch.Tensor:
    """Weight of each class in the loss: tensor (n_classes,)."""
    if isinstance(class_weight, dict):
        class_weight = by_class("class_weight", class_weight, classes)
    y = classes[label[label >= 0]]
    weights = compute_class_weight(class_weight, classes=classes, y=y)
    return torch.from_numpy(weights).float()


def fine_tune(
    network: Any,
    texts: list,
    target: torch.Tensor,
    factor: torch.Tensor,
    how: "Training",
    *,
    lower: LowerLayers | None,
    source: Source,
    saved: ModelFile | None,
    name: str,
    verbose: Any,
) -> list[float]:
    """Train a sentence model; return the mean loss of each pass.

    Parameters
    ----------
    network, texts, target, factor, how, lower, source
        See :class:`FineTuning`.
    saved : ModelFile or None
        Where it is kept after each pass; what is there already goes on from there.
    name : str
        What stands before the pass at the progress bar.
    verbose : int
        Whether to show that bar.
    """
    found = saved and saved.read()
    if found and len(found[1]["losses"]) == how.max_epochs:
        give_weights(network, found[0])
        return found[1]["losses"]
    training = FineTuning(network, texts, target, factor, how, lower, source)
    if found:
        training.go_on_from(*found)
    with progress(owner=name, step="training", verbose=verbose, unit="step") as bar:
        while (n_done := len(training.losses)) < how.max_epochs:
            step = f"pass {n_done + 1} of {how.max_epochs}"
            bar.set_description(title(name, step))
            training.one_pass(bar)
            bar.set_postfix(loss=training.losses[-1], best=min(training.losses))
            if saved:
                saved.write(*training.state())
    return training.losses


@dataclass(frozen=True)
class Training:
    """How a model is trained, by the parameters of the estimator."""

    max_epochs: int
    lr: float
    weight_decay: float
    dropout: float
    normalize: bool
    batch_size: int
    tokens_at_once: int
    bfloat16: bool
    seed: int


class FineTuning:
    """Train a sentence model so that a linear layer reads the labels from embeddings.

    The learning rate rises over the first tenth of all steps and falls to 0 by the
    last; that of the linear layer, which starts from nothing, has a peak of 1e-3.

    Parameters
    ----------
    network : SentenceTransformer
        The model, which is changed where its weights take gradients.
    texts : list of str or Passage
        What it learns from.
    target : LongTensor of shape (n_texts,)
        The number of the class of each.
    factor : Tensor of shape (n_classes,)
        Weight of each class in the loss.
    how : Training
        The parameters.
    lower : LowerLayers or None
        What stands in for layers that do not learn.
    source : Source
        What dropout draws from.
    """

    def __init__(
        self,
        network: Any,
        texts: list,
        target: torch.Tensor,
        factor: torch.Tensor,
        how: Training,
        lower: LowerLayers | None,
        source: Source,
    ) -> None:
        self.network, self.texts, self.how, self.lower = network, texts, how, lower
        self.losses: list[float] = []
        self.source = source
        self._rng = np.random.default_rng(how.seed)
        self._n_tokens = count_tokens(network, texts)
        if lower:
            self._compute_lower(lower)
        with torch.no_grad():
            size = embed(network, prepare(network, texts[:1]), how.normalize).shape[1]
        head = nn.Sequential(nn.Dropout(how.dropout), nn.Linear(size, len(factor)))
        self.head = head.to(network.device)
        self.target, self.factor = target.to(network.device), factor.to(network.device)
        self._peaks = how.lr, _LR_OF_HEAD
        groups: list[dict[str, Any]] = [
            {"params": [w for w in network.parameters() if w.requires_grad]},
            {"params": self.head.parameters()},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=how.lr, weight_decay=how.weight_decay, fused=True
        )

    def _compute_lower(self, lower: LowerLayers) -> None:
        new = {text: i for i, text in enumerate(self.texts) if text not in lower}
        order = sorted(new.values(), key=lambda i: self._n_tokens[i])
        parts = parts_of_tokens(order, self._n_tokens, self.how.tokens_at_once)
        texts = [[self.texts[i] for i in part] for part in parts]
        lower.compute(self.network, texts)

    def one_pass(self, bar: Any) -> None:
        """Learn from each text once."""
        self.network.train()
        batches = batches_of_like_length(self.texts, self.how.batch_size, self._rng)
        n_done = len(self.losses) * len(batches)
        bar.reset(len(batches))
        total = weights = 0.0
        for number, batch in enumerate(batches, n_done):
            self._set_rate(number, self.how.max_epochs * len(batches))
            loss, weight = self._step(batch)
            total, weights = total + loss, weights + weight
            bar.update()
        self.optimizer.zero_grad()  # frees the gradients
        self.network.eval()
        self.losses.append(total / weights)
        with torch.no_grad():
            inputs = prepare(self.network, self.texts[:1])
            example = embed(self.network, inputs, self.how.normalize)
        refuse_divergence(
            {"train_loss": self.losses[-1]},
            len(self.losses),
            self.how.lr,
            self.network,
            answers=example,
        )

    def _set_rate(self, step: int, n_steps: int) -> None:
        rise = max(1.0, _WARMUP * n_steps)
        share = min((step + 1) / rise, 1 - step / n_steps)
        for group, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * share

    def _step(self, batch: np.ndarray) -> tuple[float, float]:
        """Take one step, by gradients that are summed up over parts of the batch."""
        self.optimizer.zero_grad()
        weight = self.factor[self.target[batch]].sum().clamp(min=_SMALLEST)
        total = 0.0
        for part in parts_of_tokens(batch, self._n_tokens, self.how.tokens_at_once):
            loss = F.cross_entropy(
                self._answer([self.texts[i] for i in part]).float(),
                self.target[part],
                self.factor,
                reduction="sum",
            )
            (loss / weight).backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(self.network.parameters(), _LONGEST_GRADIENT)
        self.optimizer.step()
        return total, weight.item()

    def _answer(self, texts: list) -> torch.Tensor:
        inputs = prepare(self.network, texts)
        with ExitStack() as stack:
            if self.how.bfloat16:
                kind = self.network.device.type
                stack.enter_context(torch.autocast(kind, torch.bfloat16))
            if self.lower:
                stack.enter_context(self.lower.standing_in(self.network, texts, inputs))
            return self.head(embed(self.network, inputs, self.how.normalize))

    def state(self) -> tuple[dict[str, torch.Tensor], dict]:
        """Return tensors by name, and what else is needed to go on from here."""
        tensors, told = learned_weights(self.network), {"losses": self.losses}
        if len(self.losses) == self.how.max_epochs:
            return tensors, told
        tensors |= {f"head.{k}": v for k, v in self.head.state_dict().items()}
        for number, known in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{k}": v for k, v in known.items()}
        drawn = self.source.get_state()
        tensors |= {f"source.{device}": state for device, state in drawn.items()}
        return tensors, told | {"rng": self._rng.bit_generator.state}

    def go_on_from(self, tensors: dict[str, torch.Tensor], told: dict) -> None:
        """Take the state of the same training after some pass."""
        parts: dict[str, dict] = {"head": {}, "optimizer": {}, "source": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part in parts:
                parts[part][rest] = tensor
        give_weights(self.network, tensors)
        self.head.load_state_dict(parts["head"])
        state = self.optimizer.state_dict()
        for name, tensor in parts["optimizer"].items():
            number, _, kind = name.partition(".")
            state["state"].setdefault(int(number), {})[kind] = tensor
        self.optimizer.load_state_dict(state)
        self.source.set_state(parts["source"])
        self.losses = told["losses"]
        self._rng.bit_generator.state = told["rng"]


def learned_weights(network: Any) -> dict[str, torch.Tensor]:
    """Weights that take gradients, by name."""
    named = network.named_parameters()
    return {f"network.{name}": w.detach() for name, w in named if w.requires_grad}


def give_weights(network: Any, tensors: dict[str, torch.Tensor]) -> None:
    """Give a network what :func:`learned_weights` returned."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.requires_grad:
                weight.copy_(tensors[f"network.{name}"])


def rate_for(width: int) -> float:
    """Return the learning rate for a model whose embeddings have so many numbers."""
    return _LR * min(1.0, _WIDTH / width)


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 itself, and does not imitate it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


def average(states: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Average the weights of models of one origin; what is no float is the same."""
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def batches_of_like_length(
    texts: list, batch_size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Cut texts into batches, in a new order, so that they need little padding.

    The positions of the texts of each batch are returned.
    """
    order, length = rng.permutation(len(texts)), np.array([len(text) for text in texts])
    pool, batches = _BATCHES_SORTED_TOGETHER * batch_size, []
    for start in range(0, len(texts), pool):
        near = order[start : start + pool]
        near = near[length[near].argsort(kind="stable")]
        batches += [near[i : i + batch_size] for i in range(0, len(near), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def parts_of_tokens(
    batch: Iterable[int], n_tokens: list[int], n_most: int
) -> list[list[int]]:
    """Cut a batch into parts that, filled up, have at most so many tokens each.

    A text that has more stands alone. The positions in each part are returned.
    """
    parts: list[list[int]] = []
    widest = 0
    for i in batch:
        widest = max(widest, n_tokens[i])
        if not parts or widest * (len(parts[-1]) + 1) > n_most:
            parts.append([])
            widest = n_tokens[i]
        parts[-1].append(i)
    return parts
