"""Training of the joint autoencoder on tables, and what it can tell beyond codes."""

import copy
from functools import partial

import numpy as np
import torch
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skmerc._training import (
    check_partial_missing,
    draw_seed,
    drawing,
    redirected,
    resolve_device,
    warn_of_values_never_seen,
)
from skmerc._utils.fitting import of_one_fit
from skmerc.frame._columns import parse_table
from skmerc.frame._conversations import read_conversations
from skmerc.fusion._layout import behind_keys, table_names
from skmerc.fusion._training import Blocks, Trainer, infer, lower_bound
from skmerc.nn.blocks import BlockReader
from skmerc.nn.vae import JointVAE


class AutoencoderMixin:
    """Read tables, train the network, decode codes and score utterances."""

    def _read_training(self, X, y):
        given = {"reset": True, "modalities": self.modalities}
        if y is None or not self.classification_weight:
            table, y = read_conversations(self, X, **given), None
        else:
            table, y = read_conversations(self, X, y, **given)
            check_classification_targets(y)
        self._check_partial_missing(table)
        return table, y

    def _check_partial_missing(self, table):
        names = getattr(self, "feature_names_in_", None)
        check_partial_missing(table, self.partial_nan, names)

    def _encode_labels(self, y, rows, n_rows):
        """Index of each row's class, -1 where there is none to learn or to score."""
        self.classes_ = None
        if y is None:
            return np.full(n_rows, -1)
        self.classes_ = np.unique(y[rows])
        return np.where(
            np.isin(y, self.classes_),
            np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1),
            -1,
        )

    def _train(self, table, training, validation):
        rng = check_random_state(self.random_state)
        seed, device = draw_seed(rng), resolve_device(self.device)
        with drawing(seed, device):
            with redirected():
                trainer = self._make_trainer(self._reader(table), device)
            trainer.run(
                training,
                validation,
                lr=self.lr,
                weight_decay=self.weight_decay,
                max_epochs=self.max_epochs,
                patience=self.patience,
                seed=seed,
                verbose=self.verbose,
            )
        self.vae_ = trainer.vae
        self.history_ = trainer.history
        self.n_iter_ = len(trainer.history)

    def _make_trainer(self, read, device):
        vae = JointVAE(
            read.reader.widths,
            hidden_size=self.hidden_size,
            latent_size=self.latent_size,
            posterior=self.posterior,
        )
        classify = None
        if self.classes_ is not None:
            classify = nn.Linear(self.latent_size, len(self.classes_))
        return Trainer(
            vae=vae,
            classify=classify,
            read=read,
            device=device,
            beta=self.beta,
            gamma=self.gamma,
            classification_weight=self.classification_weight,
            modality_dropout=self.modality_dropout,
            warmup_epochs=self.warmup_epochs,
            batch_size=self.batch_size,
        )

    def _reader(self, table):
        return Blocks(table.features, self._block_reader())

    def _block_reader(self):
        return BlockReader(list(self._blocks.values()), **self.standardize_.settings)

    def _read(self, X):
        check_is_fitted(self, "vae_")
        table = read_conversations(self, X, reset=False, modalities=self.modalities)
        self._check_partial_missing(table)
        names = getattr(self, "feature_names_in_", None)
        warn_of_values_never_seen(table, self.standardize_, names)
        return table

    @of_one_fit
    def inverse_transform(self, X):
        """Reconstruct the modalities from codes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, latent_size)
            Codes, with or without keys. Blocks that :meth:`transform` put behind
            them may stay there; they are not read.

        Returns
        -------
        DataFrame or ndarray of shape (n_utterances, n_columns)
            Every modality, also where it was missing, in the units and the order of
            columns of the table in :meth:`fit`; NaN in columns that belong to no
            modality. Of a frame with keys, a frame with keys; otherwise float32
            numbers.
        """
        check_is_fitted(self, "vae_")
        table = parse_table(X)
        code = np.asarray(table.features)
        widths = {self.latent_size, len(self._value_names())}
        if code.ndim != 2 or code.shape[1] not in widths:
            raise ValueError(
                f"X has shape {code.shape}; a code has {self.latent_size} columns."
            )
        code = check_array(code[:, : self.latent_size], dtype=np.float64)
        return behind_keys(table, self._decode(code), table_names(self))

    @torch.no_grad()
    def _decode(self, code):
        vae = copy.deepcopy(self.vae_).double()
        values = torch.full((len(code), self.n_features_in_), np.nan).double()
        for where, block in zip(
            self._blocks.values(), vae.decode(torch.from_numpy(code)), strict=True
        ):
            values[:, where] = block
        return self.standardize_.inverse(values).float().numpy()

    @of_one_fit
    def sample(self, n_samples=1, *, random_state=None):
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
        check_is_fitted(self, "vae_")
        rng = check_random_state(random_state)
        return self._decode(rng.standard_normal((n_samples, self.latent_size)))

    @of_one_fit
    def score_samples(self, X):
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
        reader = self._reader(self._read(X))
        return infer(self.vae_, reader, partial(lower_bound, beta=self.beta))

    def score(self, X, y=None):
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
