"""Fusion of modalities by a deep joint variational autoencoder."""

import copy
import os
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skmerc._training import (
    CallbackHolder,
    check_net_settings,
    check_partial_missing,
    check_weight,
    draw_seed,
    drawing,
    fit_standardize_on_real,
    infer,
    refuse_nothing_to_learn,
    resolve_device,
    runs_code_of_others,
    summaries_of,
    warn_of_values_never_seen,
)
from skmerc._training._batches import DialogueDataset
from skmerc._utils.compat import (
    Interval,
    StrOptions,
    check_feature_names_in,
    fit_context,
    with_callbacks,
)
from skmerc._utils.divergence import refuse_infinite_answers
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.locks import IMPORTING
from skmerc._utils.registry import PresetMixin, Range, storable
from skmerc._utils.threads import threads_for
from skmerc._utils.types import FilePath, Modalities, RandomState, Table
from skmerc.frame import KEYS, drop_keys
from skmerc.frame._columns import SYNTHETIC, VALIDATION, parse_table
from skmerc.frame._conversations import Conversations, read_conversations
from skmerc.frame._warnings import keys_told, warn_of_lost_keys
from skmerc.fusion._layout import behind_keys, code_names, table_names
from skmerc.fusion._training import FusionMeasure, lower_bound, rows_of
from skmerc.nn.standardize import Standardize
from skmerc.nn.vae import FusionLoss, FusionNetwork, JointVAE

if TYPE_CHECKING:
    from skorch import NeuralNet

    from skmerc._training.nets import Checkpoint, FitTasks


@storable
class DJVAEFuser(PresetMixin, CallbackHolder, TransformerMixin, BaseEstimator):
    r"""Fuse modalities into one code by a deep joint variational autoencoder.

    The DJVAE of CBERL [1]_ in the form of a joint autoencoder over modalities [2]_:
    one encoder and decoder per modality, one posterior :math:`q` given all of them.
    It minimises the weighted mean over utterances of

    .. math:: \sum_m \frac{1}{d_m} \lVert x_m - \hat x_m \rVert^2
        + \beta\, KL(q \,\Vert\, N(0, I)) + \gamma \sum_m KL(q \,\Vert\, q_m)
        + \lambda\, CE,

    with the sums over the modalities that are there, :math:`q_m` the posterior given
    one modality, and CE the cross-entropy of a softmax layer on the code, for which
    labels are needed.

    Parameters
    ----------
    latent_size : int, default=128
        Width of the code.
    hidden_size : int, default=256
        Width of the hidden layers.
    beta : float, default=0.003
        Weight of the divergence from the prior. The reconstruction error is a mean
        over features while the divergence is a sum over the code, so a direction of
        the features survives only if its variance exceeds about
        :math:`\beta d_m / 2`. With the usual 1 the code dies on real tables (see
        Notes).
    gamma : float, default=0.0003
        Weight of the divergence from the unimodal posteriors; keep it below `beta`.
        As 0.1, which belongs to ``beta=1``, it leaves in the code only what every
        single modality tells.
    warmup_epochs : int, default=5
        Epochs over which both divergences grow linearly to their weight.
    classification_weight : float, default=0.0
        The factor :math:`\lambda`. With 0 labels are ignored, and may be anything;
        with more, give what reads the code other rows to learn from (see Notes).
    posterior : {"joint", "poe"}, default="joint"
        Posterior from a layer over all encodings, or from the product of unimodal
        experts and the prior [3]_. Both marginalise missing modalities; the first
        learns to from `modality_dropout` and from gaps in the training rows.
    output : {"latent", "latent+blocks"}, default="latent+blocks"
        What :meth:`transform` gives: the code, as in the paper, or the code and
        behind it the standardised features; see Notes.
    modality_dropout : float, default=0.1
        Probability in training that a modality is hidden from the encoder, which
        then learns to infer it.
    modalities : mapping of str to list of str, slice or list of int, default=None
        The columns of each modality; by default told from their names, see
        :func:`skmerc.frame.split_frame`.
    standardize : bool, default=True
        Whether to standardise features on the training rows and clip them at ten
        standard deviations.
    partial_nan : {"mean", "error"}, default="mean"
        Whether single missing cells of a modality that is there are filled with the
        training mean, with a warning, or refused.
    lr : float, default=1e-3
        Learning rate of AdamW.
    weight_decay : float, default=1e-2
        Its weight decay.
    batch_size : int, default=128
        Number of utterances in a batch.
    max_epochs : int, default=25
        Number of epochs, at most.
    patience : int or None, default=10
        Epochs without a lower loss on the rows of role ``"validation"`` after which
        training stops; the weights of the best epoch are restored. Without such
        rows, or with None, training runs for `max_epochs`.
    callbacks : list or None, default=None
        Callbacks of skorch. A fit works on copies, which share files and connections
        that these hold. None of them can score answers, since a code is none.
    net_params : dict or None, default=None
        Anything else that a skorch net takes, such as ``optimizer``, and an
        ``accelerator`` for training in several processes.
    device : str, default="auto"
        Where to train: ``"auto"`` is a GPU where there is one. The fitted network
        stays on the CPU.
    checkpoint : str, PathLike or None, default=None
        Folder that keeps the state of training after each epoch, for one fit at a
        time. After a crash the same call of ``fit`` goes on from there and ends with
        the same weights; it needs an integer `random_state`. A fit that is finished
        leaves nothing in it.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and noise.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The fitted net, whose module is a :class:`skmerc.nn.vae.FusionNetwork`.
    vae_ : JointVAE
        The part of it that fuses.
    standardize_ : Standardize
        Means and scales of the training rows.
    classes_ : ndarray of shape (n_classes,) or None
        Labels that the code was trained on; None without.
    history_ : list of dict
        For each epoch the weight ``beta``, ``train_loss`` and its terms
        ``reconstruction``, ``prior``, ``unimodal`` and ``classification``, the same of
        validation rows behind ``valid_``, and ``dur``, the seconds.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of feature columns in :meth:`fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had names.

    See Also
    --------
    skmerc.nn.vae.JointVAE : The network.

    Notes
    -----
    It learns from rows of role ``"utterance"`` and ``"synthetic"`` outside held-out
    dialogues; every row gets a code. A code depends on its own row alone. An
    utterance with no modality gets the prior's mean, zero.

    On real tables (IEMOCAP text and voice, 128 dimensions) ``beta=1`` leaves no
    active dimension and explains no variance of the features, 0.1 explains 0.27 of
    it, 0.01 0.61 and 0.001 0.80, without labels. The defaults were chosen by the
    weighted F1 of logistic regression on the code of validation dialogues, where
    the code matches the standardised features and does not beat them.

    ``DJVAEFuser.from_preset("paper")`` gives the code alone, as CBERL passes it on,
    trained without labels and with every modality shown. The paper gives neither
    width nor weights: 128 is ours, and with these `beta` and `gamma` the loss is
    proportional to the evidence lower bound under normal noise of variance
    :math:`\beta d_m / 2`, which is about one for 700 features.

    The supervised term fits the code to the training labels: an estimator trained
    on codes of the same rows finds them easier than those of new rows. On IEMOCAP's
    training dialogues, left out in turn, ``classification_weight=0.3`` cost a
    :class:`CBERLClassifier` behind it three points of weighted F1; the page of
    results in the documentation has the table and its command.

    References
    ----------
    .. [1] "Deep Imbalanced Learning for Multimodal Emotion Recognition in
       Conversations", arXiv:2312.06337 (CBERL).
    .. [2] M. Suzuki, K. Nakayama, Y. Matsuo, "Joint multimodal learning with deep
       generative models", arXiv:1611.01891, 2016.
    .. [3] M. Wu, N. Goodman, "Multimodal generative models for scalable
       weakly-supervised learning", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.frame import make_frame
    >>> from skmerc.fusion import DJVAEFuser
    >>> rng = np.random.default_rng(0)
    >>> X = make_frame({"text": rng.normal(size=(40, 6)), "audio": np.eye(40)[:, :4]})
    >>> fuser = DJVAEFuser(latent_size=2, max_epochs=3, random_state=0)
    >>> list(fuser.fit_transform(X).columns)[3:7]
    ['dialogue__role', 'fused__0', 'fused__1', 'text__0']
    >>> fuser.inverse_transform(fuser.transform(X)).shape == X.shape
    True
    """

    _presets: dict = {
        "paper": {
            "latent_size": 128,
            "output": "latent",
            "classification_weight": 0.0,
            "modality_dropout": 0.0,
        }
    }
    _search_space: dict = {
        "latent_size": Range(32, 256, step=32),
        "beta": Range(1e-3, 1e-1, log=True),
        "gamma": Range(1e-4, 1e-3, log=True),
        "lr": Range(3e-4, 3e-3, log=True),
        "modality_dropout": Range(0.0, 0.3),
        "posterior": ["joint", "poe"],
    }
    _parameter_constraints: dict = {
        "latent_size": [Interval(Integral, 1, None, closed="left")],
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "warmup_epochs": [Interval(Integral, 0, None, closed="left")],
        "classification_weight": [Interval(Real, 0, None, closed="left")],
        "posterior": [StrOptions({"joint", "poe"})],
        "output": [StrOptions({"latent", "latent+blocks"})],
        "modality_dropout": [Interval(Real, 0, 1, closed="left")],
        "modalities": [dict, None],
        "standardize": ["boolean"],
        "partial_nan": [StrOptions({"mean", "error"})],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "callbacks": [list, None],
        "net_params": [dict, None],
        "device": [str],
        "checkpoint": [str, os.PathLike, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        latent_size: int = 128,
        hidden_size: int = 256,
        beta: float = 0.003,
        gamma: float = 0.0003,
        warmup_epochs: int = 5,
        classification_weight: float = 0.0,
        posterior: Literal["joint", "poe"] = "joint",
        output: Literal["latent", "latent+blocks"] = "latent+blocks",
        modality_dropout: float = 0.1,
        modalities: Modalities | None = None,
        standardize: bool = True,
        partial_nan: Literal["mean", "error"] = "mean",
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        batch_size: int = 128,
        max_epochs: int = 25,
        patience: int | None = 10,
        callbacks: list | None = None,
        net_params: dict | None = None,
        device: str = "auto",
        checkpoint: FilePath | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.latent_size = latent_size
        self.hidden_size = hidden_size
        self.beta = beta
        self.gamma = gamma
        self.warmup_epochs = warmup_epochs
        self.classification_weight = classification_weight
        self.posterior = posterior
        self.output = output
        self.modality_dropout = modality_dropout
        self.modalities = modalities
        self.standardize = standardize
        self.partial_nan = partial_nan
        self.lr = lr
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.callbacks = callbacks
        self.net_params = net_params
        self.device = device
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    @with_callbacks
    def fit(
        self,
        X: Table,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn to fuse the modalities.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Utterances, with keys or without; a modality that is NaN throughout in a
            row is missing there.
        y : array-like of shape (n_utterances,), default=None
            Labels for the supervised term. Those of context rows are ignored, and
            those of validation rows only scored.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on the loss of each row.

        Returns
        -------
        DJVAEFuser
            The fuser itself.

        Raises
        ------
        ValueError
            If no row is left to learn from, or labels are no classes.
        DivergenceError
            If training leaves the finite numbers.

        Warns
        -----
        InterruptedTrainingWarning
            If training is interrupted by the user once an epoch is finished; before
            that, the interrupt is passed on.
        """
        with IMPORTING:
            from skmerc._training.nets import Checkpoint, FitTasks, check_parallel

        check_parallel(self)
        check_net_settings(self)
        tasks = FitTasks.of(self, X, y, sample_weight)
        table, y = self._read_training(X, y)
        is_synthetic = table.role == SYNTHETIC
        weight = check_weight(sample_weight, table.features, is_synthetic)
        learned, scored = weight * table.learnable, weight * (table.role == VALIDATION)
        rows = table.select(learned > 0)
        refuse_nothing_to_learn(rows)
        target = self._encode_labels(y, rows, len(table))
        self._keyed = table.keyed
        self._refuse_equal_names()
        seed = draw_seed(check_random_state(self.random_state))
        data = {"X": table, "y": target, "sample_weight": learned, "roles": scored}
        with Checkpoint.of(self, data | {"random_state": seed}) as checkpoint:
            self._train(table, target, learned, scored, seed, checkpoint, tasks)
        if tasks:
            tasks.end()
        return self

    def _read_training(
        self, X: Table, y: ArrayLike | None
    ) -> tuple[Conversations, np.ndarray | None]:
        given: dict[str, Any] = {"reset": True, "modalities": self.modalities}
        labels = None
        parsed = parse_table(X)
        if y is None and self.classification_weight:
            raise ValueError(
                f"classification_weight={self.classification_weight} asks for a code "
                "that tells the labels apart, and y is None: give y, or set it to 0."
            )
        if not self.classification_weight:
            table = read_conversations(self, parsed, **given)
        else:
            table, labels = read_conversations(self, parsed, y, **given)
            check_classification_targets(labels)
        self._keys_told = keys_told(parsed)
        self._check_partial_missing(table)
        return table, labels

    def _check_cells(self, table: Conversations) -> None:
        """Refuse missing cells or warn of them, and of values unseen in training."""
        self._check_partial_missing(table)
        names = getattr(self, "feature_names_in_", None)
        warn_of_values_never_seen(table, self.standardize_, names)

    def _check_partial_missing(self, table: Conversations) -> None:
        names = getattr(self, "feature_names_in_", None)
        check_partial_missing(table, self.partial_nan, names)

    def _encode_labels(
        self, y: np.ndarray | None, rows: np.ndarray, n_rows: int
    ) -> np.ndarray:
        """Number the class of each row; -1 where it is not learned or scored."""
        self.classes_ = None
        if y is None:
            return np.full(n_rows, -1)
        self.classes_ = np.unique(y[rows])
        return pd.Index(self.classes_).get_indexer(y)

    def _refuse_equal_names(self) -> None:
        if self.output == "latent+blocks" and "fused" in self._blocks:
            raise ValueError(
                "X has a modality called 'fused', and output='latent+blocks' gives the "
                "code that name. Rename the modality, or use output='latent'."
            )

    def _train(
        self,
        table: Conversations,
        target: np.ndarray,
        learned: np.ndarray,
        scored: np.ndarray,
        seed: int,
        checkpoint: "Checkpoint | None",
        tasks: "FitTasks | None",
    ) -> None:
        from skmerc._training.nets import train_net, without_accelerator

        device = resolve_device(self.device)
        training = rows_of(table, learned, target)
        validation = rows_of(table, scored, target) if scored.any() else None
        with drawing(seed, device):
            net = self._make_net(table, training, validation, device, seed, tasks)
            watched = runs_code_of_others(self)
            train_net(net, training, checkpoint=checkpoint, watched=watched)
        self.net_ = _to_cpu(without_accelerator(net))
        self.history_ = summaries_of(net.history)
        self.n_iter_ = len(self.history_)

    def _make_net(
        self,
        table: Conversations,
        training: DialogueDataset,
        validation: DialogueDataset | None,
        device: torch.device,
        seed: int,
        tasks: "FitTasks | None",
    ) -> "NeuralNet":
        from skorch.callbacks import GradientNormClipping

        from skmerc._training.nets import make_net

        with IMPORTING:
            from skmerc.fusion._warm_up import WarmUp

        rows = table.select(training.weight > 0)
        standardize = fit_standardize_on_real(
            table,
            rows,
            training.weight,
            active=self.standardize,
            names=getattr(self, "feature_names_in_", None),
        )
        objective = {
            "beta": self.beta,
            "gamma": self.gamma,
            "classification_weight": self.classification_weight,
        }
        settings: dict[str, Any] = {
            f"criterion__{name}": value for name, value in objective.items()
        }
        settings |= {
            "module__reader": standardize.settings
            | {"blocks": list(table.blocks.values())},
            "module__n_classes": 0 if self.classes_ is None else len(self.classes_),
            "module__modality_dropout": self.modality_dropout,
            "module__latent_size": self.latent_size,
            "module__hidden_size": self.hidden_size,
            "module__posterior": self.posterior,
            "optimizer": torch.optim.AdamW,
            "optimizer__weight_decay": self.weight_decay,
            "lr": self.lr,
            "batch_size": self.batch_size,
            "max_epochs": self.max_epochs,
            "callbacks": [
                GradientNormClipping(1.0),
                WarmUp(self.warmup_epochs, self.beta),
                *self._callbacks(),
            ],
            "device": str(device),
            "verbose": int(self.verbose),
        }
        return make_net(
            FusionNetwork,
            FusionLoss,
            validation=validation,
            measure=FusionMeasure(FusionLoss(**objective), self.classes_ is not None),
            patience=self.patience,
            tasks=tasks,
            seed=seed,
            standardized=self.standardize,
            name=type(self).__name__,
            **(settings | self._net_settings()),
        )

    @property
    def vae_(self) -> JointVAE:
        """The part of the network that fuses."""
        return self.net_.module_.vae

    @property
    def standardize_(self) -> Standardize:
        """Means and scales of the training rows."""
        return self.net_.module_.reader.standardize

    def _answer(self, X: Any, output: str | Callable) -> np.ndarray:
        """Compute an output of the network for every row of a table.

        It runs in double precision, so that sums in another order, as in a batch of
        another size, leave no trace in the answer.
        """
        check_is_fitted(self, "net_")
        table = read_conversations(self, X, reset=False)
        self._check_cells(table)
        return infer(self.net_, rows_of(table), output, torch.float64)

    @of_one_fit
    def transform(self, X: Table) -> Any:
        """Fuse the modalities of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Utterances, of any role.

        Returns
        -------
        DataFrame or ndarray of shape (n_utterances, n_columns_out)
            The posterior means ``fused__0``, ... and with
            ``output="latent+blocks"`` the standardised features, NaN where the
            modality is missing. Of a frame with keys, a frame that begins with the
            four keys, whatever `set_output` says; otherwise float32 numbers.
        """
        output = "mean" if self.output == "latent" else "mean_and_blocks"
        table = parse_table(X)
        values = self._answer(table, output)
        # What comes behind gets all keys, and cannot tell which were made up.
        warn_of_lost_keys(table, getattr(self, "_keys_told", ()))
        refuse_infinite_answers(values[:, : self.vae_.latent_size])
        return behind_keys(table, values.astype(np.float32), self._value_names())

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """Name the columns that :meth:`transform` gives.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Checked against the names in :meth:`fit`; keys among them are ignored.

        Returns
        -------
        ndarray of str
            The four keys if there were keys in :meth:`fit`, ``fused__0``, ..., and
            with ``output="latent+blocks"`` the features.
        """
        check_is_fitted(self, "net_")
        if input_features is not None:
            given = np.asarray(input_features, dtype=object)
            names = drop_keys(pd.DataFrame(columns=given)).columns
            check_feature_names_in(self, names)
        keys = list(KEYS) if self._keyed else []
        return np.asarray(keys + self._value_names(), dtype=object)

    def _value_names(self) -> list[str]:
        return code_names(self, self.output == "latent+blocks")

    @of_one_fit
    def inverse_transform(self, X: Table) -> Any:
        """Reconstruct the modalities from codes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, latent_size)
            Codes, with or without keys: columns ``fused__0``, ... in any order, or of
            other names or none in that of the code. Blocks that :meth:`transform` put
            behind them may stay there; they are not read.

        Returns
        -------
        DataFrame or ndarray of shape (n_utterances, n_columns)
            Every modality, also where it was missing, in the units and the order of
            columns of the table in :meth:`fit`; NaN in columns that belong to no
            modality. Of a frame with keys, a frame with keys; otherwise float32
            numbers.
        """
        check_is_fitted(self, "net_")
        table = parse_table(X)
        code = np.asarray(self._by_name(table.features))
        widths = {self.vae_.latent_size, len(self._value_names())}
        if code.ndim != 2 or code.shape[1] not in widths:
            raise ValueError(
                f"X has shape {code.shape}; a code has {self.vae_.latent_size} columns."
            )
        code = check_array(code[:, : self.vae_.latent_size], dtype=np.float64)
        return behind_keys(table, self._decode(code), table_names(self))

    def _by_name(self, features: Any) -> Any:
        """Put the columns of a code into their order, where they have its names."""
        names = code_names(self, with_blocks=False)
        named = set(names).intersection(getattr(features, "columns", ()))
        if not named:
            return features
        absent = [name for name in names if name not in named]
        if absent:
            raise ValueError(
                f"X has {len(named)} of the {len(names)} columns of a code; it lacks "
                f"{absent[0]!r}."
            )
        return features[names]

    @torch.no_grad()
    def _decode(self, code: np.ndarray) -> np.ndarray:
        vae = copy.deepcopy(self.vae_).cpu().double()
        values = torch.full((len(code), self.n_features_in_), np.nan).double()
        with threads_for(vae):
            blocks = vae.decode(torch.from_numpy(code))
        for where, block in zip(self._blocks.values(), blocks, strict=True):
            values[:, where] = block
        return self.standardize_.cpu().inverse(values).float().numpy()

    @of_one_fit
    def sample(
        self, n_samples: int = 1, *, random_state: RandomState = None
    ) -> np.ndarray:
        """Decode draws from the prior.

        The smaller `beta`, the less the codes of real utterances fill the prior, and
        the less real these samples look; for training data take a sampler.

        Parameters
        ----------
        n_samples : int, default=1
            Number of utterances.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Features in the units of the table, without keys.
        """
        check_is_fitted(self, "net_")
        rng = check_random_state(random_state)
        return self._decode(rng.standard_normal((n_samples, self.vae_.latent_size)))

    @of_one_fit
    def score_samples(self, X: Table) -> np.ndarray:
        r"""Evidence lower bound of each utterance.

        It is the negative loss without the unimodal divergences,

        .. math:: -E_q \sum_m \frac{1}{d_m} \lVert x_m - \hat x_m \rVert^2
            - \beta\, KL(q \,\Vert\, N(0, I)),

        with 16 draws from q, the same for every utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Utterances, of any role.

        Returns
        -------
        ndarray of shape (n_utterances,)
            This is :math:`\beta` times the bound in nats on the log-density of the
            standardised modalities that are there, under normal noise of variance
            :math:`\beta d_m / 2`, up to the constant
            :math:`\frac{\beta}{2} \sum_m d_m \log(\pi \beta d_m)`.
        """
        check_is_fitted(self, "net_")
        beta = self.net_.criterion_.beta
        return self._answer(X, partial(lower_bound, beta=beta))

    def score(self, X: Table, y: Any = None) -> float:
        """Mean of :meth:`score_samples` over the utterances that are not context.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Utterances.
        y : object, default=None
            Ignored.

        Returns
        -------
        float
            The mean.
        """
        table = parse_table(X)
        scores, spoken = self.score_samples(table), ~table.is_context
        if not spoken.any():
            raise ValueError("All rows have the role 'context'; none can be scored.")
        return float(scores[spoken].mean())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _to_cpu(net: "NeuralNet") -> "NeuralNet":
    """Move a trained net and the state of its optimiser to the CPU."""
    net.module_.cpu()
    net.optimizer_.load_state_dict(net.optimizer_.state_dict())
    net.device = "cpu"
    return net
