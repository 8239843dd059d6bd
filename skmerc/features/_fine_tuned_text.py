"""Embeddings of texts by a sentence model that was fitted to the labels."""

from copy import deepcopy
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from skmerc._labels import read_labels
from skmerc._seeding import draw_seed, seeded
from skmerc.features._fine_tuning import fine_tune
from skmerc.features._sentence_model import SentenceModel
from skmerc.features._text import TextEmbedder, tell_of_missing
from skmerc.frame import drop_keys, read_keys


class FineTunedTextEmbedder(TextEmbedder):
    """Turn texts into features by a sentence model that learns the emotions first.

    A pretrained model knows what texts are about, not how they feel. :meth:`fit` trains
    it, with a linear layer on top, to tell the labels of single utterances, and
    :meth:`transform` embeds with what came of it; published scores of emotion
    recognition rest on such features. What learns from conversations comes after it.

    Parameters
    ----------
    model : str or Path, default="sentence-transformers/all-MiniLM-L6-v2"
        A folder that holds a model, or a name on the Hugging Face hub.
    max_epochs : int, default=1
        Number of passes over the texts. With each, the model knows more of the training
        texts by heart: they come out easier to tell apart than new ones, and what
        learns from these features learns too little of their context. That score, not
        the one of single utterances, should choose the number.
    lr : float, default=1e-4
        Peak of the learning rate; larger models want less, about 2e-5.
    weight_decay : float, default=0.01
        Weight decay.
    dropout : float, default=0.1
        Dropout before the linear layer; inside, that of the model.
    pooling : {"mean", "cls", "max"} or None, default=None
        How the vectors of tokens become one; by default as the model was trained.
    normalize : bool, default=False
        Whether to scale each embedding to unit length, in training too.
    batch_size : int, default=32
        Number of texts that the model reads at a time, in training too.
    device : str, default="auto"
        Where to compute: ``"auto"`` is a GPU where there is one.
    cache : "process", str, Path or None, default="process"
        Where embeddings are kept; see :class:`TextEmbedder`.
    local_files_only : bool, default=False
        Whether to never ask the hub.
    errors : {"warn", "raise"}, default="warn"
        Whether a missing or blank text is a missing modality, or an error.
    random_state : int, RandomState instance or None, default=None
        Seed of batches, dropout and the linear layer.
    verbose : int, default=0
        Whether to show progress bars.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels that it was fitted to.
    embedding_size_ : int
        Number of features.
    history_ : list of dict
        ``train_loss`` of each epoch.
    model_digest_ : str
        Digest of the fitted model.
    weights_ : dict of str to ndarray
        Weights of the fitted model, about 90 MB for the default one.

    See Also
    --------
    TextEmbedder : The same without training, for texts without labels.

    Notes
    -----
    Given the column ``dialogue__role`` beside the texts, it learns from rows of the
    role ``"utterance"`` alone, so that validation dialogues stay unseen; see the
    example. Rows without a text are left out as well.

    Keep it inside a pipeline: fitted before a split it has seen the test rows. One
    epoch over the 9,989 training utterances of MELD takes about three minutes of one
    thread.

    A pickle holds the weights, and finds the model's other parts under its name.

    Examples
    --------
    >>> from sklearn.compose import ColumnTransformer
    >>> from skmerc.features import FineTunedTextEmbedder
    >>> from skmerc.frame import KEYS, mark_validation
    >>> features = ColumnTransformer(
    ...     [
    ...         ("keys", "passthrough", list(KEYS)),
    ...         ("text", FineTunedTextEmbedder(), ["utterance", "dialogue__role"]),
    ...     ]
    ... ).set_output(transform="pandas")
    >>> table = mark_validation(table, fraction=0.1)  # doctest: +SKIP
    >>> X = features.fit_transform(table, y)  # doctest: +SKIP
    >>> list(X.columns[[0, 4, 387]])  # doctest: +SKIP
    ['keys__dialogue__id', 'text__0', 'text__383']
    """

    _parameter_constraints: dict = {
        **TextEmbedder._parameter_constraints,
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        model="sentence-transformers/all-MiniLM-L6-v2",
        *,
        max_epochs=1,
        lr=1e-4,
        weight_decay=0.01,
        dropout=0.1,
        pooling=None,
        normalize=False,
        batch_size=32,
        device="auto",
        cache="process",
        local_files_only=False,
        errors="warn",
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            model,
            pooling=pooling,
            normalize=normalize,
            batch_size=batch_size,
            device=device,
            cache=cache,
            local_files_only=local_files_only,
            errors=errors,
            verbose=verbose,
        )
        self.max_epochs = max_epochs
        self.lr = lr
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Train the model to tell the labels.

        Parameters
        ----------
        X : array-like of shape (n_texts,), or DataFrame of texts and key columns
            Texts; None, NaN or blank where missing. Of keys, ``dialogue__role`` says
            which rows to learn from.
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
            If X is not one column beside keys, a label is missing, labels are no
            classes, or fewer than two classes are left to learn.
        """
        texts = self._read(X)
        if self.errors == "raise":
            tell_of_missing(texts, self.errors)
        classes, target, learned = self._read_target(X, y, texts)
        network, seed = deepcopy(super()._load().network), draw_seed(self.random_state)
        with seeded(seed, torch.device(network.device)):
            losses = fine_tune(
                network,
                [texts[row] for row in learned],
                torch.from_numpy(target),
                max_epochs=self.max_epochs,
                lr=self.lr,
                weight_decay=self.weight_decay,
                batch_size=self.batch_size,
                dropout=self.dropout,
                normalize=self.normalize,
                seed=seed,
                verbose=self.verbose,
            )
        if not np.isfinite(losses).all():
            raise ValueError(
                f"Training diverged: its mean losses are {losses}. Lower the learning "
                f"rate, which is lr={self.lr}."
            )
        self.history_ = [{"epoch": k, "train_loss": v} for k, v in enumerate(losses, 1)]
        state = network.state_dict()
        self.weights_ = {name: value.cpu().numpy() for name, value in state.items()}
        self.classes_ = classes
        tuned = self._keep(network)
        self._probe, self.model_digest_ = tuned.probe, tuned.digest
        self.embedding_size_ = len(tuned.probe)
        return self

    def _read_target(self, X, y, texts):
        """Return classes, and index of the class and number of each row to learn."""
        if y is None:
            raise ValueError(
                "requires y to be passed, but the target y is None: there is nothing "
                "to fine-tune to. TextEmbedder needs no labels."
            )
        check_consistent_length(texts, y)
        role = read_keys(X)["dialogue__role"].to_numpy()
        y = read_labels(y, role == "context")
        if y.ndim > 1 and y.shape[1] > 1:
            raise ValueError(
                f"y has the shape {y.shape}; FineTunedTextEmbedder takes one emotion "
                "for each text. Give it the most telling one, or use TextEmbedder."
            )
        has_text = np.array([text is not None for text in texts], bool)
        learned = np.flatnonzero(has_text & (role == "utterance"))
        known = y.ravel()[learned]
        if len(known):
            check_classification_targets(known)
        classes, target = np.unique(known, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"{len(learned)} rows can be learned from, those of the role "
                f"'utterance' with a text, and they have {len(classes)} classes; "
                "two are needed."
            )
        return classes, target, learned

    def _read(self, X):
        return super()._read(drop_keys(X) if hasattr(X, "columns") else X)

    def _load(self):
        made_of, tuned = getattr(self, "_tuned", (None, None))
        if made_of != self._parts():
            network = deepcopy(super()._load().network)
            weights = {name: torch.tensor(v) for name, v in self.weights_.items()}
            try:
                network.load_state_dict(weights)
            except RuntimeError as error:
                raise ValueError(
                    f"The model {str(self.model)!r} is not the one that fit saw: its "
                    "weights have other names or shapes. Fit again, or give the model "
                    "as it was."
                ) from error
            tuned = self._keep(network)
        return tuned

    def _keep(self, network):
        tuned = SentenceModel.of(network, self.normalize)
        self._tuned = self._parts(), tuned
        return tuned

    def _parts(self):
        """What the network in memory was made of, besides the weights."""
        return str(self.model), self.pooling, self.normalize, self.device

    def __getstate__(self):
        # The network is made again from its weights where it is needed.
        return {k: v for k, v in super().__getstate__().items() if k != "_tuned"}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
