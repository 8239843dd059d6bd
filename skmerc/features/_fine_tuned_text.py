"""Embeddings of texts by a sentence model that was fitted to the labels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from numbers import Integral, Real
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike

from skmerc._utils.compat import Interval, StrOptions, fit_context
from skmerc._utils.fitting import all_or_nothing
from skmerc._utils.locks import LOADING
from skmerc._utils.progress import title
from skmerc._utils.registry import storable
from skmerc._utils.seeding import draw_seed, seeded
from skmerc._utils.threads import threads_for
from skmerc._utils.types import FilePath, RandomState
from skmerc.features._fine_tuning import (
    IN_NO_FOLD,
    Training,
    average,
    computes_in_bfloat16,
    deal_dialogues,
    fine_tune,
    rate_for,
    read_classes,
    weigh_classes,
)
from skmerc.features._fine_tuning_checkpoint import FineTuningCheckpoint
from skmerc.features._layers import LowerLayers, copy_to_learn
from skmerc.features._sentence_model import SentenceModel
from skmerc.features._text import TextEmbedder, refuse_broken, tell_of_missing
from skmerc.frame import KEYS, read_keys
from skmerc.frame._columns import as_pandas, key_columns
from skmerc.frame._conversations import sortable

_N_KEPT = 2
_TUNED: dict = {}
"""Models that were used last. They are not kept in estimators, where answers shall
change nothing and pickles hold the weights once."""


@storable
class FineTunedTextEmbedder(TextEmbedder):
    """Turn texts into features by a sentence model that learns the emotions first.

    A pretrained model knows what texts are about, not how they feel. :meth:`fit` trains
    it, with a linear layer on top, to tell the labels of utterances, alone or among
    their neighbours, and :meth:`transform` embeds with what came of it; published
    scores of emotion recognition rest on such features. What learns from conversations
    comes after it.

    A model tells texts that it has learned by heart better apart than new ones, so that
    what learns from its features trusts them too much, and context too little.
    Therefore several models are trained, each without one part of the dialogues. As in
    :class:`~sklearn.preprocessing.TargetEncoder`, :meth:`fit_transform` embeds each
    dialogue by the model that has not learned from it, and ``fit(X, y).transform(X)``
    does not equal it. New texts are embedded by one model, whose weights are the mean
    of all [1]_.

    Parameters
    ----------
    model : str or Path, default="sentence-transformers/all-MiniLM-L6-v2"
        A folder that holds a model, or a name on the Hugging Face hub.
    cv : int or None, default=4
        Number of models, each trained without one part of the dialogues, drawn at
        random; it needs the keys ``dialogue__id`` and ``dialogue__role`` beside the
        texts. With None one model learns from all, `cv` - 1 times as fast, and texts
        may come alone.
    max_epochs : int, default=2
        Number of passes over the texts.
    lr : float or "auto", default="auto"
        Peak of the learning rate. ``"auto"`` is 1e-4 for a model whose embeddings have
        up to 384 numbers, as the default one, and for wider ones in the measure that
        they are wider less, as Adam wants it [2]_: 5e-5 where they have 768.
    weight_decay : float, default=0.01
        Weight decay.
    dropout : float, default=0.1
        Dropout before the linear layer; inside, that of the model.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, as in scikit-learn.
    layers : int or None, default=None
        How many of the model's layers learn, the last ones. What the others make of
        each text is computed once for all passes and models, without dropout, and
        kept. By default all layers learn, and the vectors of tokens with them.
    tokens_at_once : int, default=2048
        Most tokens that are read at a time in training, filled up to equal lengths.
        Batches that have more are learned from in parts, whose gradients are summed
        up: the same step in less memory.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Type of numbers in training; ``"auto"`` is bfloat16 where the processor or GPU
        computes in it. Weights and embeddings are of float32 always.
    pooling : {"mean", "cls", "max"} or None, default=None
        How the vectors of tokens become one; by default as the model was trained.
    normalize : bool, default=False
        Whether to scale each embedding to unit length, in training too.
    context_past, context_future : int, default=0
        Number of utterances of the dialogue, before and behind each, that the model
        reads together with it, in training too; see :class:`TextEmbedder`.
    speakers : bool, default=False
        Whether the model reads the name of its speaker in front of each utterance.
    max_tokens : int or None, default=None
        Number of tokens that the model reads at most, in all.
    batch_size : int, default=32
        Number of texts that the model reads at a time, and learns from in a step.
    device : str, default="auto"
        Where to compute: ``"auto"`` is a GPU where there is one.
    cache : "process", str, Path or None, default="process"
        Where embeddings are kept; see :class:`TextEmbedder`.
    local_files_only : bool, default=False
        Whether to never ask the hub.
    errors : {"warn", "raise"}, default="warn"
        Whether a missing or blank text is a missing modality, or an error.
    checkpoint : str, PathLike or None, default=None
        Folder that keeps each model after each pass, for one fit at a time. After a
        crash the same call goes on from there; it needs an integer `random_state`. A
        fit that is finished leaves nothing in it.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, batches, dropout and the linear layer.
    verbose : int, default=0
        Whether to show progress bars, which name fold and pass in training.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels that it was fitted to.
    embedding_size_ : int
        Number of features.
    lr_ : float
        Peak of the learning rate.
    history_ : list of dict
        ``train_loss`` of each ``epoch``, and with `cv` the ``fold`` left out.
    model_digest_ : str
        Digest of the fitted model.
    weights_ : dict of str to ndarray
        Weights of the fitted model, about 90 MB for the default one.

    See Also
    --------
    TextEmbedder : The same without training, for texts without labels.

    Notes
    -----
    Of the columns beside the texts, ``dialogue__role`` tells it to learn from rows of
    the role ``"utterance"`` alone, so that validation dialogues stay unseen, and
    ``dialogue__id`` to leave out whole dialogues, not single rows; see the example.
    Rows without a text teach nothing either. What is said in several dialogues is
    known from the others, as it is in new dialogues.

    Keep it inside a pipeline: fitted before a split it has seen the test rows. The
    9,989 training utterances of MELD take about two and a half minutes of one thread
    for each pass, ``cv - 1`` times.

    A pickle holds the weights, and finds the model's other parts under its name.

    References
    ----------
    .. [1] M. Wortsman et al., "Model soups: averaging weights of multiple fine-tuned
       models improves accuracy without increasing inference time", ICML 2022.
    .. [2] G. Yang et al., "Tensor Programs V: Tuning large neural networks via
       zero-shot hyperparameter transfer", arXiv 2203.03466, Table 3.

    Examples
    --------
    >>> from sklearn.compose import ColumnTransformer
    >>> from skmerc.features import FineTunedTextEmbedder
    >>> from skmerc.frame import KEYS, mark_validation
    >>> features = ColumnTransformer(
    ...     [
    ...         ("keys", "passthrough", list(KEYS)),
    ...         ("text", FineTunedTextEmbedder(), ["utterance", *KEYS]),
    ...     ]
    ... ).set_output(transform="pandas")
    >>> table = mark_validation(table, fraction=0.1)  # doctest: +SKIP
    >>> X = features.fit_transform(table, y)  # doctest: +SKIP
    >>> list(X.columns[[0, 4, 387]])  # doctest: +SKIP
    ['keys__dialogue__id', 'text__0', 'text__383']
    """

    _parameter_constraints: dict = {
        **TextEmbedder._parameter_constraints,
        "cv": [Interval(Integral, 2, None, closed="left"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "layers": [Interval(Integral, 1, None, closed="left"), None],
        "tokens_at_once": [Interval(Integral, 1, None, closed="left")],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "checkpoint": [str, PathLike, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        model: FilePath = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        cv: int | None = 4,
        max_epochs: int = 2,
        lr: float | Literal["auto"] = "auto",
        weight_decay: float = 0.01,
        dropout: float = 0.1,
        class_weight: dict | Literal["balanced"] | None = None,
        layers: int | None = None,
        tokens_at_once: int = 2048,
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        pooling: Literal["mean", "cls", "max"] | None = None,
        normalize: bool = False,
        context_past: int = 0,
        context_future: int = 0,
        speakers: bool = False,
        max_tokens: int | None = None,
        batch_size: int = 32,
        device: str = "auto",
        cache: FilePath | None = "process",
        local_files_only: bool = False,
        errors: Literal["warn", "raise"] = "warn",
        checkpoint: FilePath | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            model,
            pooling=pooling,
            normalize=normalize,
            context_past=context_past,
            context_future=context_future,
            speakers=speakers,
            max_tokens=max_tokens,
            batch_size=batch_size,
            device=device,
            cache=cache,
            local_files_only=local_files_only,
            errors=errors,
            verbose=verbose,
        )
        self.cv = cv
        self.max_epochs = max_epochs
        self.lr = lr
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.class_weight = class_weight
        self.layers = layers
        self.tokens_at_once = tokens_at_once
        self.precision = precision
        self.checkpoint = checkpoint
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Train the models to tell the labels, and average them.

        Parameters
        ----------
        X : array-like of shape (n_texts,), or DataFrame of texts and key columns
            Texts; None, NaN or blank where missing. Of keys, ``dialogue__role`` says
            which rows to learn from, and ``dialogue__id`` which stay together; context
            needs more of them.
        y : array-like of shape (n_texts,)
            The emotion of each; those of context rows are ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ImportError
            If sentence-transformers is not installed.
        OSError
            If the model is not found or cannot be loaded.
        TypeError
            If a cell is neither text nor missing.
        ValueError
            If X is not one column beside keys, keys that `cv` or context need are
            absent, a label
            is missing, labels are no classes, there are fewer dialogues than `cv`, a
            model is left with less than two classes or has fewer `layers`, a class
            weight is none, or the checkpoint is of another fit.
        DivergenceError
            If training leaves the finite numbers.
        """
        with self._fit(X, y):
            return self

    @fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit_transform(self, X: Any, y: ArrayLike | None = None) -> np.ndarray:
        """Train, and embed each text by the model that left its dialogue out.

        Parameters
        ----------
        X : array-like of shape (n_texts,), or DataFrame of texts and key columns
            As in :meth:`fit`.
        y : array-like of shape (n_texts,)
            As in :meth:`fit`.

        Returns
        -------
        X_new : ndarray of shape (n_texts, n_embedded)
            Embeddings in float32, a row of NaN for each missing text. Dialogues that
            nothing was learned from are embedded as by :meth:`transform`; with
            ``cv=None`` all are.

        Raises
        ------
        ImportError, OSError, TypeError, ValueError, DivergenceError
            As :meth:`fit`.
        """
        with self._fit(X, y) as (texts, fold, networks):
            tell_of_missing(texts, self.errors)
            features = self._features_left_out(texts, fold, networks)
        refuse_broken(features, texts, self.model)
        return features

    def _features_left_out(
        self, texts: list, fold: np.ndarray, networks: list
    ) -> np.ndarray:
        unseen = [
            text if number == IN_NO_FOLD else None
            for text, number in zip(texts, fold, strict=True)
        ]
        features = self._features(unseen)
        for number, network in enumerate(networks):
            rows = [row for row in np.flatnonzero(fold == number) if texts[row]]
            if rows:
                model = SentenceModel.of(network, self.normalize)
                left_out = [texts[row] for row in rows]
                features[rows] = model.embed(left_out, self.batch_size)
        return features

    @contextmanager
    def _fit(
        self, X: Any, y: ArrayLike | None
    ) -> Iterator[tuple[list, np.ndarray, list]]:
        """Fit, and yield the texts, their folds, and the models without each fold.

        The checkpoint is kept until the block has ended.
        """
        texts = self._read(X, reset=True)
        if self.errors == "raise":
            tell_of_missing(texts, self.errors)
        keys, seed = read_keys(X), draw_seed(self.random_state)
        classes, label = read_classes(y, texts, keys["dialogue__role"])
        factor = weigh_classes(self.class_weight, classes, label)
        if self.cv is not None:
            _demand_keys(X)
        fold = deal_dialogues(keys["dialogue__id"], label, self.cv, seed)
        base = TextEmbedder._load(self)
        self._tell_of_long(texts, base.n_readable)
        self.lr_ = rate_for(len(base.probe)) if self.lr == "auto" else self.lr
        data = {"X": texts, "y": label, "the folds": fold, "the model": base.digest}
        with FineTuningCheckpoint.of(self, data) as checkpoint:
            order = _reading_order(X, keys)
            tune = partial(self._tune, base.network, texts, label, factor, seed, order)
            networks, self.history_ = self._train(tune, fold, checkpoint)
            network = deepcopy(base.network)
            network.load_state_dict(average([each.state_dict() for each in networks]))
            state = network.state_dict()
            self.weights_ = {name: value.cpu().numpy() for name, value in state.items()}
            self._remember(self._keep(network))
            self.classes_ = classes
            yield texts, fold, networks

    def _train(
        self, tune: Callable, fold: np.ndarray, checkpoint: FineTuningCheckpoint | None
    ) -> tuple[list, list[dict]]:
        """Train a model without each fold, or one on all."""
        networks, history = [], []
        lower = LowerLayers(self.layers) if self.layers else None
        for number in range(self.cv or 1):
            network, losses = tune(number, fold != number, lower, checkpoint)
            networks.append(network)
            told = {"fold": number} if self.cv else {}
            history += [
                {**told, "epoch": epoch, "train_loss": loss}
                for epoch, loss in enumerate(losses, 1)
            ]
        return networks, history

    def _tune(
        self,
        base: Any,
        texts: list,
        label: np.ndarray,
        factor: torch.Tensor,
        seed: int,
        order: np.ndarray,
        number: int,
        chosen: np.ndarray,
        lower: LowerLayers | None,
        checkpoint: FineTuningCheckpoint | None,
    ) -> tuple[Any, list[float]]:
        network = copy_to_learn(base, self.layers)
        device = torch.device(network.device)
        learned = order[((label >= 0) & chosen)[order]]
        # All models draw alike, so that their axes mean the same.
        with seeded(seed, device) as source, threads_for(network):
            losses = fine_tune(
                network,
                [texts[row] for row in learned],
                torch.from_numpy(label[learned]),
                factor,
                self._training(seed, device),
                lower=lower,
                source=source,
                saved=checkpoint.of_model(number) if checkpoint else None,
                name=title(self, f"fold {number + 1} of {self.cv}")
                if self.cv
                else type(self).__name__,
                verbose=self.verbose,
            )
        return network, losses

    def _training(self, seed: int, device: torch.device) -> Training:
        automatic = self.precision == "auto" and computes_in_bfloat16(device)
        return Training(
            max_epochs=self.max_epochs,
            lr=self.lr_,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
            normalize=self.normalize,
            batch_size=self.batch_size,
            tokens_at_once=self.tokens_at_once,
            bfloat16=automatic or self.precision == "bfloat16",
            seed=seed,
        )

    def _load(self) -> SentenceModel:
        with LOADING:
            known = _TUNED.get((self.model_digest_, *self._parts()))
            return known or self._keep(self._rebuild(), self.model_digest_)

    def _rebuild(self) -> Any:
        network = deepcopy(super()._load().network)
        state = {name: torch.tensor(v) for name, v in self.weights_.items()}
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(
                f"The model {str(self.model)!r} is not the one that fit saw: its "
                "weights have other names or shapes. Fit again, or give the model as "
                "it was."
            ) from error
        return network

    def _keep(self, network: Any, digest: str | None = None) -> SentenceModel:
        tuned = SentenceModel.of(network, self.normalize)
        with LOADING:
            _TUNED[digest or tuned.digest, *self._parts()] = tuned
            while len(_TUNED) > _N_KEPT:
                del _TUNED[next(iter(_TUNED))]
        return tuned

    def _parts(self) -> tuple:
        """Return what the network in memory was made of, besides the weights."""
        return (
            str(self.model), self.pooling, self.normalize, self.max_tokens, self.device,
        )  # fmt: skip

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _reading_order(X: Any, keys: Any) -> np.ndarray:
    """Rows by dialogue and turn, whatever their order in X, if it names dialogues."""
    if not hasattr(X, "columns") or KEYS[0] not in key_columns(as_pandas(X)):
        return np.arange(len(keys))
    return np.lexsort((sortable(keys[KEYS[1]]), keys[KEYS[0]].to_numpy(str)))


def _demand_keys(X: Any) -> None:
    """Refuse texts without the keys that say what to leave out and what to learn."""
    found = key_columns(as_pandas(X)) if hasattr(X, "columns") else {}
    absent = [key for key in (KEYS[0], KEYS[3]) if key not in found]
    if absent:
        raise ValueError(
            f"X has no {' and no '.join(absent)} beside the texts, so that rows of one "
            "dialogue would be left out one by one and validation dialogues be learned "
            "from. Give the keys: ColumnTransformer([('text', "
            "FineTunedTextEmbedder(...), ['utterance', *KEYS])]); or, if each text "
            "stands for itself and all may be learned from, set cv=None."
        )
