"""Training of the joint autoencoder on rows of a table."""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from skmerc._training import warn_of_interruption
from skmerc._utils.divergence import refuse_divergence
from skmerc.losses import weighted_mean
from skmerc.nn.blocks import BlockReader, hide_modalities
from skmerc.nn.vae import Fused, JointVAE

_CHUNK = 4096
_DRAWS = 16


@dataclass(frozen=True)
class Blocks:
    """Rows of a table, gathered as standardised blocks, 0 where missing."""

    features: np.ndarray
    reader: BlockReader

    def __len__(self):
        return len(self.features)

    @property
    def standardized(self):
        """Whether features are brought to mean 0 and deviation 1."""
        return self.reader.standardize.active

    def __call__(self, rows) -> tuple[list[Tensor], Tensor]:
        """Return the blocks and a mask (n, n_modalities) of those present."""
        raw = np.array(self.features[rows], dtype=np.float32)
        return self.reader(torch.from_numpy(raw))


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to score: index, weight, class (-1 if unlabelled)."""

    index: np.ndarray
    weight: Tensor
    target: Tensor

    def __len__(self):
        return len(self.index)

    @classmethod
    def of(cls, index, weight, target):
        """Take the rows `index` out of weights and classes of a whole table."""
        return cls(
            index,
            torch.from_numpy(weight[index].astype(np.float32)),
            torch.from_numpy(target[index].astype(np.int64)),
        )


@dataclass
class BestWeights:
    """Keep the weights of the lowest loss, and tell when to stop; None never does."""

    network: nn.Module
    patience: int | None
    loss: float = np.inf
    since: int = 0
    state: dict | None = None

    def now(self, loss):
        """Tell whether to stop, after an epoch with that loss."""
        if self.patience is None:
            return False
        self.since += 1
        if loss < self.loss:
            self.loss, self.since = loss, 0
            self.state = copy.deepcopy(self.network.state_dict())
        return self.since >= self.patience

    def restore(self):
        """Give the network its best weights back."""
        if self.state is not None:
            self.network.load_state_dict(self.state)


@dataclass
class Trainer:
    """Minimise the variational loss, and cross-entropy on the code if labelled."""

    vae: JointVAE
    classify: nn.Linear | None
    read: Blocks
    device: torch.device
    beta: float
    gamma: float
    classification_weight: float
    modality_dropout: float
    warmup_epochs: int
    batch_size: int
    history: list = field(default_factory=list)

    @property
    def network(self):
        """All that is trained."""
        return nn.ModuleList([m for m in (self.vae, self.classify) if m is not None])

    def run(self, training, validation, *, lr, weight_decay, max_epochs, patience,
            seed, verbose):  # fmt: skip
        """Train until the validation loss stops falling, and restore its best."""
        network, rng = self.network.to(self.device), np.random.default_rng(seed)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=lr, weight_decay=weight_decay
        )
        stop = BestWeights(network, patience if len(validation) else None)
        try:
            for epoch in tqdm(range(max_epochs), unit="epoch", disable=not verbose):
                record = self._epoch(epoch, training, optimizer, rng)
                if len(validation):
                    record |= self._evaluate(validation)
                refuse_divergence(
                    record, epoch + 1, lr, network, standardized=self.read.standardized
                )
                self.history.append(record)
                if stop.now(record.get("valid_loss")):
                    break
        except KeyboardInterrupt:
            if not self.history:
                raise
            warn_of_interruption(len(self.history), max_epochs)
        stop.restore()
        network.to("cpu").eval()

    def _epoch(self, epoch, training, optimizer, rng):
        self.network.train()
        warmth = min(1.0, (epoch + 1) / max(self.warmup_epochs, 1))
        order, total = rng.permutation(len(training)), {}
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            terms, weight = self._terms(training, batch, warmth)
            optimizer.zero_grad()
            terms["loss"].backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            optimizer.step()
            _add(total, terms, float(weight.sum()))
        return {"epoch": epoch + 1, "beta": warmth * self.beta, **_means(total)}

    @torch.no_grad()
    def _evaluate(self, validation):
        self.network.eval()
        total = {}
        for start in range(0, len(validation), self.batch_size):
            batch = np.arange(len(validation))[start : start + self.batch_size]
            terms, weight = self._terms(validation, batch, 1.0)
            _add(total, terms, float(weight.sum()))
        return {f"valid_{name}": value for name, value in _means(total).items()}

    def _terms(self, rows, batch, warmth):
        blocks, present = self.read(rows.index[batch])
        blocks = [block.to(self.device) for block in blocks]
        present = present.to(self.device)
        weight, target = (t[batch].to(self.device) for t in (rows.weight, rows.target))
        hidden = self.modality_dropout * self.vae.training
        fused = self.vae(blocks, hide_modalities(present, hidden))
        parts = self.vae.terms(fused, blocks, present)
        terms = {name: weighted_mean(v, weight) for name, v in parts._asdict().items()}
        loss = terms["reconstruction"] + warmth * (
            self.beta * terms["prior"] + self.gamma * terms["unimodal"]
        )
        if self.classify is not None:
            terms["classification"] = self._cross_entropy(fused, target, weight)
            loss = loss + self.classification_weight * terms["classification"]
        return {"loss": loss, **terms}, weight

    def _cross_entropy(self, fused: Fused, target, weight):
        labelled = target >= 0
        logits = self.classify(fused.code)
        losses = F.cross_entropy(logits, target.clamp(min=0), reduction="none")
        return weighted_mean(losses, weight * labelled)


def _add(total, terms, weight):
    for name, value in terms.items():
        total[name] = total.get(name, 0.0) + weight * float(value.detach())
    total["weight"] = total.get("weight", 0.0) + weight


def _means(total):
    weight = total.pop("weight")
    return {name: value / weight for name, value in total.items()}


@torch.no_grad()
def infer(vae: JointVAE, read: Blocks, function) -> np.ndarray:
    """Apply ``function(vae, blocks, present)`` to all rows, chunk by chunk.

    It runs in double precision, so that sums in another order, as in a batch of
    another size, leave no trace in the answer.
    """
    vae = copy.deepcopy(vae).double().eval()
    parts = []
    for start in range(0, len(read), _CHUNK):
        blocks, present = read(slice(start, start + _CHUNK))
        parts.append(function(vae, [b.double() for b in blocks], present).numpy())
    return np.concatenate(parts)


def code_of(vae: JointVAE, blocks: list[Tensor], present: Tensor) -> Tensor:
    """Return the posterior means."""
    return vae(blocks, present).mean


def code_and_blocks(vae: JointVAE, blocks: list[Tensor], present: Tensor) -> Tensor:
    """Return the posterior means and the blocks, NaN where missing."""
    kept = [torch.where(present[:, [m]], x, torch.nan) for m, x in enumerate(blocks)]
    return torch.cat([code_of(vae, blocks, present), *kept], dim=1)


def lower_bound(
    vae: JointVAE, blocks: list[Tensor], present: Tensor, beta: float
) -> Tensor:
    """Return the evidence lower bound with fixed draws from the posterior."""
    fused = vae(blocks, present)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(
        _DRAWS, vae.latent_size, generator=generator, dtype=torch.float64
    )
    error = 0.0
    for draw in noise:
        code = fused.mean + (0.5 * fused.log_var).exp() * draw
        drawn = fused._replace(reconstructions=vae.decode(code))
        terms = vae.terms(drawn, blocks, present)
        error = error + terms.reconstruction / _DRAWS
    return -error - beta * terms.prior
