"""Fitting a sentence model to labels."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from skmerc._utils.divergence import refuse_divergence

_WARMUP = 0.1
_LR_OF_HEAD = 1e-3
_LONGEST_GRADIENT = 1.0
_BATCHES_SORTED_TOGETHER = 30


def fine_tune(
    network, texts, target, *, n_classes, max_epochs, lr, weight_decay, batch_size,
    dropout, normalize, seed, verbose,
):  # fmt: skip
    """Train a sentence model so that a linear layer reads the labels from embeddings.

    The learning rate rises over the first tenth of all steps and falls to 0 by the
    last; that of the linear layer, which starts from nothing, has a peak of 1e-3.

    Parameters
    ----------
    network : SentenceTransformer
        The model, which is changed.
    texts : list of str
        What is read.
    target : Tensor of shape (n_texts,)
        Index of the class of each text.
    n_classes : int
        Number of classes; of some there may be no text.
    max_epochs, batch_size, seed, verbose : int
        As in the estimator.
    lr, weight_decay, dropout : float
        As in the estimator.
    normalize : bool
        As in the estimator.

    Returns
    -------
    list of float
        Mean loss of each pass.
    """
    rng = np.random.default_rng(seed)
    size = _embed(network, texts[:1], normalize).shape[1]
    head = nn.Sequential(nn.Dropout(dropout), nn.Linear(size, n_classes))
    head, target = head.to(network.device), target.to(network.device)
    groups = [
        {"params": network.parameters(), "lr": lr},
        {"params": head.parameters(), "lr": _LR_OF_HEAD},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=weight_decay, fused=True)
    n_steps = max_epochs * -(-len(texts) // batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _triangle(n_steps))
    losses = []
    network.train()
    with tqdm(total=n_steps, unit="step", disable=not verbose) as bar:
        for _ in range(max_epochs):
            total = 0.0
            for batch in batches_of_like_length(texts, batch_size, rng):
                answer = head(_embed(network, [texts[i] for i in batch], normalize))
                loss = F.cross_entropy(answer, target[batch])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_GRADIENT)
                optimizer.step()
                schedule.step()
                total += loss.item() * len(batch)
                bar.update()
            losses.append(total / len(texts))
            refuse_divergence({"train_loss": losses[-1]}, len(losses), lr, network)
    optimizer.zero_grad()  # frees the gradients
    network.eval()
    return losses


def average(states):
    """Average the weights of models of one origin.

    Parameters
    ----------
    states : list of dict of str to Tensor
        Weights of each; what is no float is the same in all.

    Returns
    -------
    dict of str to Tensor
        Their mean.
    """
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def batches_of_like_length(texts, batch_size, rng):
    """Cut texts into batches, in a new order, so that they need little padding.

    Parameters
    ----------
    texts : list of str
        The texts.
    batch_size : int
        Number of texts in a batch.
    rng : Generator
        What draws the order.

    Returns
    -------
    list of ndarray of int
        The positions of the texts of each batch.
    """
    order, length = rng.permutation(len(texts)), np.array([len(text) for text in texts])
    pool, batches = _BATCHES_SORTED_TOGETHER * batch_size, []
    for start in range(0, len(texts), pool):
        near = order[start : start + pool]
        near = near[length[near].argsort(kind="stable")]
        batches += [near[i : i + batch_size] for i in range(0, len(near), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _triangle(n_steps):
    rise = max(1.0, _WARMUP * n_steps)
    return lambda step: min((step + 1) / rise, 1 - step / n_steps)


def _embed(network, texts, normalize):
    read = getattr(network, "preprocess", None) or network.tokenize  # before release 6
    prompt = (network.prompts or {}).get(network.default_prompt_name) or ""
    inputs = {
        name: value.to(network.device) if hasattr(value, "to") else value
        for name, value in read([prompt + text for text in texts]).items()
    }
    embedding = network(inputs)["sentence_embedding"]
    return F.normalize(embedding) if normalize else embedding
