"""JOYFUL's classifier: joint fusion, two contrasted views, recognition."""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.multiclass import type_of_target

from skmerc._utils.compat import StrOptions
from skmerc._utils.registry import Range, storable
from skmerc._utils.types import FilePath, Modalities, RandomState, Table
from skmerc.frame._conversations import Conversations
from skmerc.frame._labels import (
    column_names,
    refuse_other_columns,
    refuse_other_than_truths,
    shape_of,
)
from skmerc.recognition._base import NOT_NEGATIVE, SHARE, TrainingData
from skmerc.recognition._classifier import DialogueClassifierMixin
from skmerc.recognition._docstrings import CLASSES, RIVALS, filled
from skmerc.recognition._joyful_estimator import (
    PARAMETERS,
    TRAINING_PARAMETERS,
    JoyfulEstimator,
)
from skmerc.recognition._tasks import LabelSets

_NEEDS_ONE_EMOTION: dict[str, list] = {
    "class_weight": [None],
    "logit_adjustment": [0.0],
    "head": [None],
    "prior": [None],
    "focal_gamma": [0.0],
    "label_smoothing": [0.0],
    "contrast": ["paper", "grace"],
}
"""What an indicator matrix leaves of parameters that tell one emotion from others."""


@filled(
    parameters=PARAMETERS,
    classes=CLASSES,
    rivals=RIVALS,
    training_parameters=TRAINING_PARAMETERS,
)
@storable
class JoyfulClassifier(DialogueClassifierMixin, JoyfulEstimator):
    """Recognise emotions by joint fusion and graph contrastive learning.

    JOYFUL [1]_: modalities are fused twice, in their dialogue and each on a basis that
    all share. A graph network reads two augmented views of the dialogue, in which an
    utterance must find itself again among the others, and the sum of both is
    classified. All losses train all parts.

    Parameters
    ----------
    {parameters}
    focal_gamma : float, default=0.0
        Focus of the focal loss; 0 is cross-entropy, as in the paper. This and the
        next five need one emotion for each utterance, no indicator matrix.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes.
    {classes}
    head : {{"boost"}}, estimator or None, default=None
        What answers: the last layer of the network (None), or a classifier on its
        embeddings; see :class:`CBERLClassifier`.
    prior : {{"train", "uniform"}}, dict or None, default=None
        Class shares to correct the probabilities to, by logit adjustment; see
        :class:`CBERLClassifier`.
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The emotions; after an indicator matrix, the names of its columns where it was a
        DataFrame, in the order of the columns of answers, and else their numbers.
    class_prior_ : ndarray of shape (n_classes,)
        Their shares among the real training utterances; not after an indicator matrix.
    net_ : skorch.NeuralNet
        The fitted net; its module is a :class:`skmerc.nn.joyful.JoyfulNetwork`.
    head_ : estimator or None
        The fitted head; not after an indicator matrix.
    history_ : list of dict
        One entry per epoch: every term of the loss, and loss and weighted F1 of
        the validation dialogues.
    first_phase_loss_ : list of float
        Loss of the fusion in each pass of the first of two phases; empty where all
        was trained jointly.
    n_iter_ : int
        Number of epochs run.
    n_features_in_ : int
        Number of feature columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names.

    See Also
    --------
    CBERLClassifier : For rare emotions.
    JoyfulRegressor : For scores such as the strength of a sentiment.

    Notes
    -----
    Where the paper and its released code differ or are silent, the choice is named at
    the parameter. At inference nothing is augmented, and both views are the same.
    The defaults are ours, chosen on validation dialogues, but for the weights of
    losses, the augmentation and the smoothing, which are the paper's.

    ``JoyfulClassifier.from_preset("paper")`` has the widths and rates of the paper, and
    the depth and dropout of the transformer, of which the paper is silent, of the
    released code. The network has layers of ``LayerNorm`` that the paper does not have:
    behind the specific fusion, before the linear layer that classifies, and at the end
    of the transformer, whose own ones stand before each sublayer rather than behind
    (``net_params={{"module__norm_first": False}}`` undoes both of the latter). One
    linear layer with a ReLU projects each modality, and one linear layer classifies;
    the paper tells no depths.

    ``from_preset("released")`` is this network with what it shares with the released
    code: training, window, relations, weights and rates, the form of the contrast, a
    transformer of four layers that is 1,024 wide, and a graph network of two layers
    that is 100 wide. It is not the released network, which fuses by autoencoders
    without the topic and the basis, has the transformer behind the fusion and nodes
    that are 1,024 wide (2,050 here), a transformer convolution with batch normalisation
    as its second graph layer, masks single values, contrasts an unchanged graph with
    each of two views, and classifies what it makes of the unchanged one. Nor does the
    rate fall here where the validation loss stops to, as it does there.

    References
    ----------
    .. [1] D. Li, Y. Wang, K. Funakoshi, M. Okumura, "Joyful: Joint modality fusion and
       graph contrastive learning for multimodal emotion recognition", EMNLP 2023.
    {rivals}

    Examples
    --------
    >>> from skmerc import JoyfulClassifier
    >>> from skmerc.datasets import make_conversations
    >>> X, y = make_conversations(n_dialogues=12, random_state=0)
    >>> model = JoyfulClassifier(fusion_size=16, max_epochs=2, random_state=0)
    >>> model.fit(X, y).predict_proba(X).shape == (len(X), len(model.classes_))
    True
    """

    _search_space: dict = {
        **JoyfulEstimator._search_space,
        "focal_gamma": Range(0.0, 3.0),
    }
    _parameter_constraints: dict = {
        **JoyfulEstimator._parameter_constraints,
        **DialogueClassifierMixin._parameter_constraints,
        "contrast": [StrOptions({"paper", "grace", "supervised"})],
        "focal_gamma": [NOT_NEGATIVE],
        "label_smoothing": [SHARE],
    }

    def __init__(
        self,
        *,
        modalities: Modalities | None = None,
        global_fusion: bool = True,
        specific_fusion: bool = True,
        fusion_size: int | None = 128,
        n_bases: int = 64,
        smoothing: float = 0.2,
        context_layers: int = 1,
        heads: int = 8,
        context_window: int | None = 256,
        hidden_size: int | None = 128,
        graph_layers: int = 1,
        conv: str | type = "attention",
        conv_params: dict | None = None,
        relations: Literal["speaker", "pairs"] = "speaker",
        window_past: int | None = 6,
        window_future: int | None = 6,
        dropout: float = 0.5,
        modality_dropout: float = 0.0,
        augmentation_rate: float = 0.2,
        feature_mask_rate: float | None = None,
        edge_rate: float | None = None,
        fusion_weight: float = 0.06,
        contrast_weight: float = 0.3,
        contrast: Literal["paper", "grace", "supervised"] = "paper",
        temperature: float = 0.2,
        batch_negatives: bool = False,
        training: Literal["joint", "two-phase"] = "joint",
        focal_gamma: float = 0.0,
        label_smoothing: float = 0.0,
        class_weight: dict | str | tuple | None = None,
        logit_adjustment: float = 0.0,
        head: Any = None,
        prior: dict | Literal["train", "uniform"] | None = None,
        standardize: bool = True,
        partial_nan: Literal["mean", "error"] = "mean",
        optimizer: type = torch.optim.AdamW,
        lr: float = 3e-4,
        schedule: Literal["cosine"] | None = "cosine",
        weight_decay: float = 1e-2,
        batch_size: int | Literal["auto"] = "auto",
        max_epochs: int = 100,
        patience: int | Literal["auto"] | None = "auto",
        validation_fraction: float | None = None,
        callbacks: list | None = None,
        net_params: dict | None = None,
        device: str = "auto",
        checkpoint: FilePath | None = None,
        warm_start: bool = False,
        random_state: RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            modalities=modalities,
            global_fusion=global_fusion,
            specific_fusion=specific_fusion,
            fusion_size=fusion_size,
            n_bases=n_bases,
            smoothing=smoothing,
            context_layers=context_layers,
            heads=heads,
            context_window=context_window,
            hidden_size=hidden_size,
            graph_layers=graph_layers,
            conv=conv,
            conv_params=conv_params,
            relations=relations,
            window_past=window_past,
            window_future=window_future,
            dropout=dropout,
            modality_dropout=modality_dropout,
            augmentation_rate=augmentation_rate,
            feature_mask_rate=feature_mask_rate,
            edge_rate=edge_rate,
            fusion_weight=fusion_weight,
            contrast_weight=contrast_weight,
            contrast=contrast,  # type: ignore[arg-type]  # one more than the regressor
            temperature=temperature,
            batch_negatives=batch_negatives,
            training=training,
            standardize=standardize,
            partial_nan=partial_nan,
            optimizer=optimizer,
            lr=lr,
            schedule=schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=patience,
            validation_fraction=validation_fraction,
            callbacks=callbacks,
            net_params=net_params,
            device=device,
            checkpoint=checkpoint,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.focal_gamma = focal_gamma
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.logit_adjustment = logit_adjustment
        self.head = head
        self.prior = prior

    def _y_checks(self, y: ArrayLike) -> dict:
        shape = shape_of(y)
        return {"multi_output": len(shape) == 2 and shape[1] > 1}

    def _read_labelled(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None, reset: bool
    ) -> tuple[Conversations, np.ndarray, np.ndarray]:
        if reset:
            self._label_names = column_names(y)
        else:
            refuse_other_columns(y, self.classes_, numbered=True)
        return super()._read_labelled(X, y, sample_weight, reset)

    def _task_of(
        self, y: np.ndarray, labelled: np.ndarray, before: Any, classes: Any
    ) -> Any:
        kind = type_of_target(y[labelled])
        several = kind == "multilabel-indicator"
        # The former is scikit-learn's name for any matrix of two values.
        if several or kind == "multiclass-multioutput":
            refuse_other_than_truths(y[labelled], "y")
        if before and several != isinstance(before, LabelSets):
            was = "one emotion for each utterance" if several else "a matrix"
            raise ValueError(f"y is {kind} now, and was {was} at first.")
        if not several:
            return super()._task_of(y, labelled, before, classes)
        self._refuse_what_needs_one_emotion()
        task = before or LabelSets(y.shape[1], self._label_names)
        self.classes_ = task.labels
        return task

    def _refuse_what_needs_one_emotion(self) -> None:
        for name, allowed in _NEEDS_ONE_EMOTION.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(
                    f"{name}={value!r} needs one emotion for each utterance, and y is "
                    f"an indicator matrix; leave it {allowed[0]!r}."
                )

    def _finish(self, data: TrainingData, rng: np.random.RandomState) -> None:
        if isinstance(self._task, LabelSets):
            self.head_ = None
            self.__dict__.pop("class_prior_", None)  # of an earlier fit
        else:
            super()._finish(data, rng)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
