"""Fusion of modalities by a deep joint variational autoencoder."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skmerc._training import (
    NetworkHolder,
    check_weight,
    fit_standardize_on_real,
)
from skmerc._utils.compat import (
    Interval,
    StrOptions,
    check_feature_names_in,
    fit_context,
)
from skmerc._utils.divergence import refuse_infinite_answers
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.registry import Range, storable
from skmerc.frame import KEYS, drop_keys
from skmerc.frame._columns import VALIDATION, parse_table
from skmerc.fusion._autoencoder import AutoencoderMixin
from skmerc.fusion._layout import behind_keys, code_names
from skmerc.fusion._training import Rows, code_and_blocks, code_of, infer


@storable
class DJVAEFuser(NetworkHolder, AutoencoderMixin, TransformerMixin, BaseEstimator):
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
        Number of passes over the training rows, at most.
    patience : int or None, default=10
        Epochs without a lower loss on the rows of role ``"validation"`` after which
        training stops; the weights of the best epoch are restored. Without such
        rows, or with None, training runs for `max_epochs`.
    device : str, default="auto"
        Where to train: ``"auto"`` is a GPU where there is one. The fitted network
        stays on the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and noise.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    vae_ : JointVAE
        The fitted network.
    standardize_ : Standardize
        Means and scales of the training rows.
    classes_ : ndarray of shape (n_classes,) or None
        Labels that the code was trained on; None without.
    history_ : list of dict
        For each epoch the weight ``beta``, the ``loss`` and its terms
        ``reconstruction``, ``prior``, ``unimodal`` and ``classification``, and the
        same of the validation rows behind ``valid_``.
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
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        latent_size=128,
        hidden_size=256,
        beta=0.003,
        gamma=0.0003,
        warmup_epochs=5,
        classification_weight=0.0,
        posterior="joint",
        output="latent+blocks",
        modality_dropout=0.1,
        modalities=None,
        standardize=True,
        partial_nan="mean",
        lr=1e-3,
        weight_decay=1e-2,
        batch_size=128,
        max_epochs=25,
        patience=10,
        device="auto",
        random_state=None,
        verbose=0,
    ):
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
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    @all_or_nothing
    def fit(self, X, y=None, sample_weight=None):
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
        table, y = self._read_training(X, y)
        weight = check_weight(sample_weight, table.features)
        rows = table.select(table.learnable & (weight > 0))
        scored = table.select((table.role == VALIDATION) & (weight > 0))
        if not len(rows):
            raise ValueError(
                "No row is left to learn from: all are context, held out for "
                "validation, or of sample weight 0."
            )
        target = self._encode_labels(y, rows, len(table))
        self.standardize_ = fit_standardize_on_real(
            table, rows, weight, active=self.standardize
        )
        self._keyed, self._blocks = table.keyed, dict(table.blocks)
        self._refuse_equal_names()
        training, validation = (Rows.of(i, weight, target) for i in (rows, scored))
        self._train(table, training, validation)
        return self

    def _refuse_equal_names(self):
        if self.output == "latent+blocks" and "fused" in self._blocks:
            raise ValueError(
                "X has a modality called 'fused', and output='latent+blocks' gives the "
                "code that name. Rename the modality, or use output='latent'."
            )

    @of_one_fit
    def transform(self, X):
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
        given = parse_table(X)
        table = self._read(given)
        function = code_of if self.output == "latent" else code_and_blocks
        values = infer(self.vae_, self._reader(table), function)
        refuse_infinite_answers(values[:, : self.latent_size])
        return behind_keys(given, values.astype(np.float32), self._value_names())

    def get_feature_names_out(self, input_features=None):
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
        check_is_fitted(self, "vae_")
        if input_features is not None:
            names = drop_keys(pd.DataFrame(columns=list(input_features))).columns
            check_feature_names_in(self, names)
        keys = list(KEYS) if self._keyed else []
        return np.asarray(keys + self._value_names(), dtype=object)

    def _value_names(self):
        return code_names(self, self.output == "latent+blocks")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
