"""How a sentence model reads texts, alone or among their neighbours."""

import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from skmerc.features._passages import Passage

_SAMPLE = "so what"


def n_readable(network: Any) -> float:
    """Number of tokens that a text may have, beside those that frame it."""
    if not _tokenizes(network) or not network.max_seq_length:
        return math.inf
    begin, end = _frame(network)
    return network.max_seq_length - len(begin) - len(end)


def too_long(network: Any, texts: list, n_most: float) -> list[int]:
    """Positions of texts that have more than so many tokens."""
    # A token is a byte at least, so that few texts need a look.
    long = [i for i, text in enumerate(texts) if text and len(text.encode()) > n_most]
    ids = _ids(network, [texts[i] for i in long]) if long else []
    return [i for i, each in zip(long, ids, strict=True) if len(each) > n_most]


def count_tokens(network: Any, texts: list) -> list[int]:
    """Number of tokens that are read of each text, 0 where a model has none."""
    if not _tokenizes(network):
        return [0] * len(texts)
    if isinstance(texts[0], Passage):
        return [len(ids) for ids, _, _ in _tokenize(network, texts)]
    n_around = sum(map(len, _frame(network)))
    longest: Any = network.max_seq_length or math.inf
    return [min(len(ids) + n_around, longest) for ids in _ids(network, texts)]


def prepare(network: Any, texts: list) -> dict:
    """Tokenise texts that are of one kind, for :func:`embed`."""
    if isinstance(texts[0], Passage):
        inputs = _pad(network, _tokenize(network, texts))
    else:
        read = getattr(network, "preprocess", None) or network.tokenize  # before 6
        inputs = read([_prompt(network) + text for text in texts])
    return {
        name: value.to(network.device) if hasattr(value, "to") else value
        for name, value in inputs.items()
    }


def embed(network: Any, inputs: dict, normalize: bool) -> torch.Tensor:
    """Embed what was prepared: tensor (n_texts, n_features).

    Of a passage the tokens of the utterance itself are pooled.
    """
    if "first" not in inputs:
        embedding = network(inputs)["sentence_embedding"]
    else:
        first, last = inputs["first"], inputs["last"]
        features = {k: v for k, v in inputs.items() if k not in ("first", "last")}
        for part in network:
            if type(part).__name__ == "Pooling":
                features = _own_tokens(features, first, last)
            features = part(features)
        embedding = features["sentence_embedding"]
    return F.normalize(embedding) if normalize else embedding


def embed_passages(
    network: Any, passages: list, normalize: bool, batch_size: int
) -> np.ndarray:
    """Embed passages without gradients: float32 array (n_passages, n_features)."""
    order = sorted(range(len(passages)), key=lambda i: len(passages[i]))
    vectors: list = [None] * len(passages)
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            inputs = prepare(network, [passages[row] for row in rows])
            for row, vector in zip(
                rows, embed(network, inputs, normalize).cpu(), strict=True
            ):
                vectors[row] = vector
        return torch.stack(vectors).numpy()


def refuse_without_pooling(network: Any) -> None:
    """Refuse a model that cannot read an utterance apart from its neighbours."""
    kinds = [type(part).__name__ for part in network]
    if not _tokenizes(network) or "Pooling" not in kinds:
        raise ValueError(
            f"The model is made of {', '.join(kinds)}, and context is read by models "
            "that pool the tokens of a language model. Use another, or "
            "context_past=0, context_future=0 and speakers=False."
        )
    if _separator(network) is None:
        raise ValueError(
            "The tokenizer of the model has no separator to part utterances by. Use "
            "another model, or context_past=0, context_future=0 and speakers=False."
        )


def _tokenizes(network: Any) -> bool:
    tokenizer = getattr(network, "tokenizer", None)
    return callable(tokenizer) and hasattr(tokenizer, "all_special_ids")


def _prompt(network: Any) -> str:
    return (network.prompts or {}).get(network.default_prompt_name) or ""


def _ids(network: Any, texts: list) -> list[list[int]]:
    if getattr(network[0], "do_lower_case", False):
        texts = [text.lower() for text in texts]
    # If verbose, it would warn of each text that is longer than the model reads.
    answer = network.tokenizer(list(texts), add_special_tokens=False, verbose=False)
    return answer["input_ids"]


def _frame(network: Any) -> tuple[list[int], list[int]]:
    """Return the tokens with which everything that a model reads begins and ends."""
    (bare,) = _ids(network, [_SAMPLE])
    whole = network.tokenizer(_SAMPLE, verbose=False)["input_ids"]
    at = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
    prompt = _prompt(network)
    begin = whole[:at] + (_ids(network, [prompt])[0] if prompt else [])
    return begin, whole[at + len(bare) :]


def _separator(network: Any) -> int | None:
    tokenizer = network.tokenizer
    found = tokenizer.sep_token_id
    return tokenizer.eos_token_id if found is None else found


def _tokenize(network: Any, passages: list) -> list[tuple[list[int], int, int]]:
    """Return the tokens of each passage, and where the utterance begins and ends."""
    whole = [(*p.before, p.name, _own(p), *p.after) for p in passages]
    parts = list({part: None for each in whole for part in each if part})
    ids = dict(zip(parts, _ids(network, parts), strict=True))
    begin, end = _frame(network)
    between, n_most = [_separator(network)], n_readable(network)
    tokenized = []
    for passage in passages:
        before = [i for line in passage.before for i in ids[line] + between]
        before += ids.get(passage.name, [])
        after = [i for line in passage.after for i in between + ids[line]]
        before, own, after = _cut(before, ids[_own(passage)], after, n_most)
        # For an utterance without tokens the sign that ends it is taken.
        first, n_own = len(begin) + len(before), max(1, len(own))
        tokens = begin + before + own + after + end
        tokenized.append((tokens, first, first + n_own))
    return tokenized


def _own(passage: Passage) -> str:
    """Return the utterance as it stands behind a name, with a blank in front."""
    return f" {passage.text}" if passage.name else passage.text


def _cut(
    before: list[int], own: list[int], after: list[int], n_most: Any
) -> tuple[list[int], list[int], list[int]]:
    """Cut what is too long at the far ends, the utterance only where that is alone."""
    if len(before) + len(own) + len(after) <= n_most:
        return before, own, after
    own = own[:n_most]
    n_left = n_most - len(own)
    n_before = min(len(before), max(n_left // 2, n_left - len(after)))
    return before[len(before) - n_before :], own, after[: n_left - n_before]


def _pad(
    network: Any, tokenized: list[tuple[list[int], int, int]]
) -> dict[str, torch.Tensor]:
    tokens, first, last = zip(*tokenized, strict=True)
    width = max(map(len, tokens))
    fill = network.tokenizer.pad_token_id
    return {
        "input_ids": torch.tensor([t + [fill] * (width - len(t)) for t in tokens]),
        "attention_mask": torch.tensor(
            [[1] * len(t) + [0] * (width - len(t)) for t in tokens]
        ),
        "first": torch.tensor(first),
        "last": torch.tensor(last),
    }


def _own_tokens(features: dict, first: torch.Tensor, last: torch.Tensor) -> dict:
    """Keep the tokens from `first` to before `last` of each text."""
    tokens = features["token_embeddings"]
    steps = torch.arange(int((last - first).max()), device=tokens.device)
    at = first[:, None] + steps
    there = at < last[:, None]
    rows = torch.arange(len(tokens), device=tokens.device)[:, None]
    own = tokens[rows, at.clamp(max=tokens.shape[1] - 1)]
    features = {k: v for k, v in features.items() if k != "cls_token_embeddings"}
    return features | {"token_embeddings": own, "attention_mask": there.long()}
