"""Fitting a sentence model to labels: by which texts, in which folds, and how."""

import numpy as np
import torch
from sklearn.model_selection import GroupKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from skmerc._utils.divergence import refuse_divergence
from skmerc.frame._columns import source_ids
from skmerc.frame._labels import read_labels

IN_NO_FOLD = -1

_WARMUP = 0.1
_LR_OF_HEAD = 1e-3
_LONGEST_GRADIENT = 1.0
_BATCHES_SORTED_TOGETHER = 30


def read_classes(y, texts, role):
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


def deal_dialogues(dialogue, label, n_folds, seed):
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
    folds, fold = GroupKFold(n_folds, shuffle=True, random_state=seed), {}
    for number, (kept, held_out) in enumerate(folds.split(groups, groups=groups)):
        if len(np.unique(label[label >= 0][kept])) < 2:
            raise ValueError(
                f"Without {groups.iloc[held_out].nunique()} of {groups.nunique()} "
                "dialogues one class is left to learn: the others are in these alone. "
                "Give more dialogues, another random_state, or cv=None."
            )
        fold |= dict.fromkeys(groups.iloc[held_out], number)
    return source.map(fold).fillna(IN_NO_FOLD).to_numpy(int)


def fine_tune(
    network, texts, target, *, n_classes, max_epochs, lr, weight_decay, batch_size,
    dropout, normalize, seed, verbose,
):  # fmt: skip
    """Train a sentence model so that a linear layer reads the labels from embeddings.

    The learning rate rises over the first tenth of all steps and falls to 0 by the
    last; that of the linear layer, which starts from nothing, has a peak of 1e-3.
    The network is changed, and `target` holds the number of the class of each text;
    all else is as in the estimator. The mean loss of each pass is returned.
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
    """Average the weights of models of one origin; what is no float is the same."""
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def batches_of_like_length(texts, batch_size, rng):
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
