"""Sentence models: found, loaded once, and told apart by what they hold."""

import math
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skmerc._utils.files import as_path
from skmerc._utils.locks import LOADING, Turn
from skmerc._utils.optional import need
from skmerc._utils.output import takes_words
from skmerc._utils.progress import is_shown
from skmerc._utils.seeding import repeatable, seeded
from skmerc._utils.threads import threads_for
from skmerc._utils.types import FilePath
from skmerc.features._passages import Passage
from skmerc.features._reading import (
    embed_passages,
    n_readable,
    refuse_without_pooling,
    too_long,
)

# Where a model's settings tell who wrote them, and not how it computes.
_ORIGIN = {"_name_or_path", "architectures", "dtype", "transformers_version"}
_PROBE = "Well, that was not what I expected!"


@dataclass(frozen=True)
class SentenceModel:
    """A loaded model.

    Attributes
    ----------
    network : SentenceTransformer
        The model, with the pooling and normalisation asked for.
    normalize : bool
        Whether embeddings get unit length.
    probe : ndarray of shape (n_features,)
        The embedding of a text that is the same for all models.
    digest : str
        The same for two models only if they embed all texts alike.
    n_readable : int or float
        Number of tokens that a text may have without being cut; may be infinite.
    """

    network: Any
    normalize: bool
    probe: np.ndarray
    digest: str
    n_readable: float
    _lock: Any = field(default_factory=Turn)

    def embed(self, texts: list, batch_size: int) -> np.ndarray:
        """Embed texts, or passages: float32 array (n_texts, n_features)."""
        device = torch.device(self.network.device)
        in_context = len(texts) and isinstance(texts[0], Passage)
        compute = embed_passages if in_context else _embed
        with (
            self._lock,  # tokenizers cannot be shared by threads
            repeatable(device),
            threads_for(self.network),
        ):
            return compute(self.network, texts, self.normalize, batch_size)

    def too_long(self, texts: list) -> list[int]:
        """Positions of the texts that are cut; None is passed over."""
        with self._lock:
            return too_long(self.network, texts, self.n_readable)

    def check_context(self) -> None:
        """Refuse a model that cannot read an utterance apart from its neighbours."""
        refuse_without_pooling(self.network)

    @classmethod
    def of(cls, network: Any, normalize: bool) -> "SentenceModel":
        """Describe a network that is loaded."""
        # Before the digest: only with use does a tokenizer learn its longest text.
        (probe,) = _embed(network, [_PROBE], normalize, 1)
        digest = _digest(network, normalize)
        return cls(network, normalize, probe, digest, n_readable(network))

    def embeds_like(self, probe: np.ndarray) -> bool:
        """Whether this is the model of another's `probe`, on whatever device."""
        difference = np.linalg.norm(self.probe - probe)
        return bool(difference <= 0.01 * np.linalg.norm(probe))


class _UnfitSetting(ValueError):
    """A model does not do what it is asked for; the second argument says what to do."""

    def __str__(self) -> str:
        return str(self.args[0])


def load_sentence_model(
    model: FilePath,
    *,
    pooling: str | None,
    normalize: bool,
    max_tokens: int | None,
    device: str,
    local_files_only: bool,
    verbose: Any,
) -> SentenceModel:
    """Load a model by path or name, unless it is loaded already."""
    folder = _find_folder(model)
    source, stamp = str(folder or model), _stamp(folder) if folder else None
    _import_quietly()
    with LOADING, _progress_bars(verbose):
        try:
            return _load(
                source, pooling, normalize, max_tokens, device, local_files_only, stamp
            )
        except Exception as error:  # each part of the stack has kinds of its own
            raise _cannot_load(model, folder, local_files_only, error) from error


def _import_quietly() -> None:
    state = random.getstate()  # the import draws from it
    try:
        need("text", "sentence_transformers")
    finally:
        random.setstate(state)


def _find_folder(model: FilePath) -> Path | None:
    """Return the folder that `model` names, or None if it is the name of a model."""
    path = as_path(model)
    if path.is_dir():
        return path.resolve()
    if isinstance(model, os.PathLike) or model.startswith((".", "~", "/")):
        raise FileNotFoundError(
            f"There is no folder {str(model)!r}; give the folder of a model, or a name "
            "on the Hugging Face hub such as 'sentence-transformers/all-MiniLM-L6-v2'."
        )
    return None


def _stamp(folder: Path) -> tuple:
    """Tell whether a model's folder has changed since it was loaded."""
    if not any((folder / name).is_file() for name in ("modules.json", "config.json")):
        raise FileNotFoundError(
            f"The folder {str(folder)!r} holds no model: neither modules.json nor "
            "config.json is in it."
        )
    files = [(path, path.stat()) for path in folder.rglob("*") if path.is_file()]
    return tuple(sorted((str(p), s.st_size, s.st_mtime_ns) for p, s in files))


@contextmanager
def _progress_bars(shown: Any) -> Iterator[None]:
    """Hide the bars of the Hugging Face libraries, unless the environment decides."""
    from huggingface_hub import utils as hub
    from transformers.utils import logging

    is_decided = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS")
    if is_decided or (is_shown(shown) and takes_words(sys.stderr)):
        yield
        return
    were_shown = logging.is_progress_bar_enabled()
    were_shown_by_hub = not hub.are_progress_bars_disabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if were_shown:
            logging.enable_progress_bar()
        if were_shown_by_hub:
            hub.enable_progress_bars()
        else:
            hub.disable_progress_bars()


@lru_cache(maxsize=2)
def _load(
    source: str,
    pooling: str | None,
    normalize: bool,
    max_tokens: int | None,
    device: str,
    local_files_only: bool,
    stamp: tuple | None,
) -> SentenceModel:
    # Weights that the model comes without are drawn, the same in all processes.
    with seeded(0, torch.device("cpu")):
        network = _open(source, pooling, device, local_files_only or stamp is not None)
    _fit_tokenizer(network, max_tokens)
    network.float()  # in half precision an embedding depends on its batch
    if not normalize:
        _remove_normalization(network)
    return SentenceModel.of(network, normalize)


def _open(source: str, pooling: str | None, device: str, local: bool) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import is_sentence_transformer_model

    local = local or not _hub_answers(source)
    network = SentenceTransformer(source, device=device, local_files_only=local)
    whole = "/" in source or Path(source).is_dir()
    name = source if whole else f"sentence-transformers/{source}"
    if pooling is not None:
        _replace_pooling(network, pooling)
    elif not is_sentence_transformer_model(name, local_files_only=local):
        raise _UnfitSetting(
            "it has no modules.json, which tells its pooling: choose one",
            "Give pooling='mean', or what SentenceTransformer.save has written.",
        )
    return network


def _hub_answers(name: str) -> bool:
    """Ask once; left to itself, the hub's client tries each file for a minute."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().model_info(name, timeout=10)
    except HfHubHTTPError:
        return True  # "no" is an answer
    except Exception:  # the client's network library has changed once
        return False
    return True


def _fit_tokenizer(network: Any, max_tokens: int | None) -> None:
    """Let a tokenizer fill up batches, and cut what the model has no places for."""
    tokenizer: Any = getattr(network, "tokenizer", None)
    special = getattr(tokenizer, "all_special_tokens", [])
    if special and len(tokenizer) <= len(special):
        raise ValueError("its tokenizer knows no words: a file of it is absent")
    if special and tokenizer.pad_token is None:
        tokenizer.pad_token = special[0]  # any will do, since none is read
    n_places = min(map(_n_places, network.modules()), default=math.inf)
    if max_tokens:
        if max_tokens > n_places:
            raise _UnfitSetting(
                f"it has places for {n_places} tokens, and max_tokens={max_tokens}",
                f"Give at most {n_places}, or None for what the model says itself.",
            )
        network.max_seq_length = max_tokens
        if n_readable(network) < 1:
            n_own = max_tokens - n_readable(network)
            raise _UnfitSetting(
                f"max_tokens={max_tokens} leaves none for the text itself",
                f"The model adds {n_own} of its own: give more than these, or None for "
                "what the model says itself.",
            )
    if n_places < math.inf and n_places < (network.max_seq_length or math.inf):
        network.max_seq_length = n_places


def _n_places(part: torch.nn.Module) -> float:
    """Return how many tokens a part of a model has learned places for."""
    places = getattr(part, "position_embeddings", None)
    if not isinstance(places, torch.nn.Embedding):
        return math.inf
    first = 0 if places.padding_idx is None else places.padding_idx + 1
    return places.num_embeddings - first


# Parts of a network are known by name, since release 6 moved their classes.


def _replace_pooling(network: Any, pooling: str) -> None:
    for position, part in enumerate(network):
        if type(part).__name__ == "Pooling":
            config = part.get_config_dict()
            width = config.get("embedding_dimension")  # since release 6
            width = width or config["word_embedding_dimension"]
            network[position] = type(part)(
                width, pooling_mode=pooling, include_prompt=part.include_prompt
            )
            return
    raise _UnfitSetting(
        f"it pools no tokens, so pooling={pooling!r} has no meaning",
        "Leave pooling=None.",
    )


def _remove_normalization(network: Any) -> None:
    for position in reversed(range(len(network))):
        if type(network[position]).__name__ == "Normalize":
            del network[position]


def _embed(network: Any, texts: list, normalize: bool, batch_size: int) -> np.ndarray:
    vectors = network.encode(
        texts,
        batch_size=batch_size,
        normalize_embeddings=normalize,
        show_progress_bar=False,
    )
    return np.asarray(vectors, dtype=np.float32)


def _digest(network: Any, normalize: bool) -> str:
    """Digest all that decides about an embedding."""
    tokenizer: Any = getattr(network, "tokenizer", None)
    tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
    vocabulary = tokenizer.to_str() if hasattr(tokenizer, "to_str") else None
    prompt = (network.prompts, network.default_prompt_name)
    digest = blake2b(digest_size=16)
    told = (str(network), _settings(network), vocabulary, prompt, normalize)
    digest.update(repr(told).encode())
    for name, weights in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.cpu().numpy().reshape(-1).view(np.uint8))
    return digest.hexdigest()


def _settings(network: Any) -> list[tuple[str, str]]:
    """List by what settings the language model inside computes."""
    parts = (getattr(part, "config", None) for part in network.modules())
    config = next((part for part in parts if hasattr(part, "to_dict")), None)
    settings = {} if config is None else config.to_dict()
    return sorted((k, repr(v)) for k, v in settings.items() if k not in _ORIGIN)


def _cannot_load(
    model: FilePath, folder: Path | None, local_files_only: bool, error: Exception
) -> OSError:
    first_line = str(error).strip().partition("\n")[0].rstrip(".")
    if isinstance(error, _UnfitSetting):
        return OSError(
            f"The model {str(folder or model)!r} cannot be loaded so ({first_line}). "
            f"{error.args[1]}"
        )
    reason = f"{type(error).__name__}: {first_line}"
    if folder:
        return OSError(
            f"The model in {str(folder)!r} cannot be loaded ({reason}). Give a folder "
            "that SentenceTransformer.save has written."
        )
    told = ", of which local_files_only=True asks this machine alone"
    return OSError(
        f"The model {model!r} cannot be loaded ({reason}). There is no such folder, so "
        f"it was sought on the Hugging Face hub{told if local_files_only else ''}. "
        "Check the name, or give the path of a folder that holds a model, which needs "
        "no network."
    )
