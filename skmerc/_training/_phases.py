"""Training one part of a network before the others."""

from typing import TYPE_CHECKING

import torch

from skmerc._training._batches import DialogueDataset, DialogueLoader
from skmerc._utils.divergence import refuse_divergence
from skmerc._utils.progress import progress
from skmerc.losses import weighted_mean

if TYPE_CHECKING:
    from skorch import NeuralNet


def train_fusion(
    net: "NeuralNet",
    dataset: DialogueDataset,
    epochs: int,
    *,
    seed: int = 0,
    name: str = "network",
) -> list[float]:
    """Train the part ``fusion`` of a network by its ``fusion_loss``, and freeze it.

    The net is initialised, `seed` that of the order of dialogues, and `name` stands in
    front of the progress bar. Returns the mean loss of each epoch.
    """
    module = net.module_.train()
    settings = net.get_params_for_optimizer(
        "optimizer", module.fusion.named_parameters()
    )
    optimizer = net.optimizer(*settings[0], **settings[1])
    loader = DialogueLoader(dataset, net.batch_size, shuffle=True, seed=seed)
    history = []
    bar = progress(
        range(1, epochs + 1),
        owner=name,
        step="training of the fusion",
        verbose=net.verbose,
        unit="epoch",
    )
    for number in bar:
        losses = []
        for inputs, answer in loader:
            moved = {name: value.to(net.device) for name, value in inputs.items()}
            loss = module(**moved).fusion_loss
            loss = weighted_mean(loss, answer["weight"].to(net.device))
            loss.backward()
            optimizer.step()
            module.zero_grad()
            losses.append(loss.detach())
        history.append(float(torch.stack(losses).mean()))
        bar.set_postfix(loss=history[-1], best=min(history))
        refuse_divergence({"fusion": history[-1]}, number, net.lr, module)
    module.fusion.requires_grad_(False)
    return history
