"""Exporting fitted networks as graphs that serve without Python."""

import json
from copy import deepcopy

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skmerc import __version__
from skmerc._utils.files import write_atomically
from skmerc._utils.locks import LOADING
from skmerc._utils.seeding import undisturbed
from skmerc.frame._columns import locate_blocks
from skmerc.fusion import DJVAEFuser
from skmerc.nn.serving import (
    ServedCBERL,
    ServedDialogueGCN,
    ServedFusion,
    ServedJoyful,
)
from skmerc.recognition import (
    CBERLClassifier,
    DialogueGCNClassifier,
    JoyfulClassifier,
    JoyfulRegressor,
)

_OUTPUTS = {
    CBERLClassifier: "probabilities",
    DialogueGCNClassifier: "probabilities",
    DJVAEFuser: "fused",
    JoyfulClassifier: "probabilities",
    JoyfulRegressor: "score",
}
"""What the output of the graph of each estimator is called."""
_SERVED = {
    CBERLClassifier: ServedCBERL,
    DialogueGCNClassifier: ServedDialogueGCN,
    JoyfulClassifier: ServedJoyful,
    JoyfulRegressor: ServedJoyful,
}


def export_model(model, path):
    """Write the network of a fitted model as an ONNX graph, to serve without Python.

    The graph answers for one dialogue of any number of turns. Standardisation, missing
    modalities and the correction to another prior are inside.

    Parameters
    ----------
    model : classifier or regressor of dialogues, DJVAEFuser or Pipeline
        The fitted model. In a pipeline, fusers may stand before the last step;
        samplers are left out, since they do nothing when a model answers.
    path : str or Path
        The file; one that is there is replaced.

    Raises
    ------
    ImportError
        If onnx or onnxscript is not installed.
    OSError
        If the file cannot be written.
    ValueError
        If the model, its head, or a step of it is not a network of skmerc.

    See Also
    --------
    save_model : Keep the whole model, for Python.

    Notes
    -----
    The graph has two inputs, rows in the order of turns: ``features``, float32 of shape
    (n_turns, n_features), NaN where a modality is missing, and ``speaker``, int64 of
    shape (n_turns,), any number for each speaker. Its output is ``probabilities``
    (n_turns, n_classes), ``score`` (n_turns,) of a regressor, or ``fused`` (n_turns,
    n_columns) of a fuser: what `predict_proba`, `predict` or `transform` gives, in
    single precision.

    The metadata of the file are JSON: ``skmerc``, the version; ``model``, the class;
    ``features``, the names of the columns; ``modalities``, the positions of the columns
    of each; ``classes`` of a classifier; ``columns`` that a fuser gives.

    The graph checks nothing: infinite features, or a cell that ``partial_nan="error"``
    would refuse, get some answer. Work and memory grow with the square of the number of
    turns.

    Examples
    --------
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.persistence import export_model
    >>> X, y = make_conversations(n_dialogues=12, random_state=0)
    >>> model = CBERLClassifier(hidden_size=8, max_epochs=2, random_state=0).fit(X, y)
    >>> export_model(model, "emotions.onnx")  # doctest: +SKIP
    """
    _import()
    *fusers, last = _steps(model)
    first = fusers[0] if fusers else last
    graph = _Graph([_network(fuser) for fuser in fusers], _network(last), _answer(last))
    name = next(name for kind, name in _OUTPUTS.items() if isinstance(last, kind))
    with LOADING, undisturbed():  # torch traces for one thread at a time
        exported = _to_onnx(graph, first.n_features_in_, name)
    for key, value in (_input(first) | _output(last)).items():
        exported.metadata_props.add(key=key, value=json.dumps(value, default=str))
    write_atomically(path, exported.SerializeToString())


class _Graph(nn.Module):
    """What is exported: fusers one after another, a network, and its answer."""

    def __init__(self, fusers, network, answer):
        super().__init__()
        self.fusers = nn.ModuleList(fusers)
        self.network, self.answer = network, answer

    def forward(self, features, speaker):
        for fuse in self.fusers:
            features = fuse(features, speaker)
        return self.answer(self.network(features, speaker))


class _Affine(nn.Module):
    def __init__(self, factor, shift):
        super().__init__()
        self.register_buffer("factor", torch.as_tensor(factor, dtype=torch.float32))
        self.register_buffer("shift", torch.as_tensor(shift, dtype=torch.float32))

    def forward(self, x):
        return self.factor * x + self.shift


def _import():
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Exporting a model needs onnx and onnxscript: pip install 'skmerc[export]'."
        ) from error


def _steps(model):
    """The fusers and the estimator that answer, all of them fit for export."""
    steps = [model]
    if isinstance(model, Pipeline):
        steps = [step for _, step in model.steps if _answers(step)]
    for number, step in enumerate(steps, start=1):
        _refuse_other(step, last=number == len(steps))
        check_is_fitted(step, "net_")
        _refuse_head(step)
    return steps


def _answers(step):
    """Whether a step of a pipeline takes part when it answers."""
    return step not in (None, "passthrough") and not hasattr(step, "fit_resample")


def _refuse_other(step, last):
    if isinstance(step, tuple(_OUTPUTS) if last else DJVAEFuser):
        return
    place = "" if last else " before the last step of a pipeline"
    raise ValueError(
        f"{type(step).__name__} cannot be exported{place}: the graph holds networks of "
        "skmerc only. Export the steps behind it alone, and give them what it makes; "
        "or keep everything with save_model, for Python."
    )


def _refuse_head(step):
    head = getattr(step, "head_", None)
    if head is not None:
        raise ValueError(
            f"The head of {type(step).__name__}, {type(head).__name__}, cannot be "
            "exported: it is no network. Fit with head=None, whose answers come from "
            "the network, or keep the model with save_model, for Python."
        )


def _network(step):
    if isinstance(step, DJVAEFuser):
        blocks = step.output == "latent+blocks"
        return ServedFusion(step.net_.module_.reader, step.vae_, blocks)
    kinds = (kind for kind in _SERVED if isinstance(step, kind))
    return _SERVED[next(kinds)](step.net_.module_)


def _answer(step):
    """What turns the output of the network into the answer of the estimator."""
    if isinstance(step, DJVAEFuser):
        return nn.Identity()
    if isinstance(step, JoyfulRegressor):
        return nn.Sequential(nn.Flatten(0), _Affine(step._deviation, step._mean))
    if getattr(step, "_label_sets", False):
        return nn.Sigmoid()
    return nn.Sequential(_Affine(1.0, step._prior_shift()), nn.Softmax(dim=1))


def _to_onnx(graph, n_features, output):
    # Torch wants its proofs from three turns on; the graph knows no such bound.
    turns = {0: torch.export.Dim("turns", min=3)}
    example = torch.zeros(5, n_features), torch.zeros(5, dtype=torch.int64)
    # A copy, since tracing puts other tensors into the very modules that answer.
    graph = deepcopy(graph).eval()
    traced = torch.export.export(graph, example, dynamic_shapes=(turns, turns))
    names = {"input_names": ["features", "speaker"], "output_names": [output]}
    program = torch.onnx.export(traced, dynamo=True, verbose=False, **names)
    return _tidy(program.model_proto)


def _tidy(exported):
    """Name the number of turns, and drop notes on how and where the graph was made."""
    graph = exported.graph
    del graph.value_info[:]
    for value in [*graph.input, *graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "turns"
    parts = graph.node, graph.input, graph.output, graph.initializer
    for thing in [graph, *(thing for part in parts for thing in part)]:
        del thing.metadata_props[:]
    return exported


def _input(step):
    """Metadata of what the first step reads."""
    n = step.n_features_in_
    names = getattr(step, "feature_names_in_", None)
    blocks = locate_blocks(names, n, step.modalities)
    return {
        "skmerc": __version__,
        "features": [f"x{j}" for j in range(n)] if names is None else list(names),
        "modalities": {key: np.arange(n)[at].tolist() for key, at in blocks.items()},
    }


def _output(step):
    """Metadata of what the last step answers."""
    about = {"model": type(step).__name__}
    if isinstance(step, DJVAEFuser):
        return about | {"columns": step._value_names()}
    if isinstance(step, JoyfulRegressor):
        return about
    return about | {"classes": step.classes_.tolist()}
