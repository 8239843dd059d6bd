"""Exporting fitted networks as graphs that serve without Python."""

import json
import warnings
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skmerc import __version__
from skmerc._utils.compat import silent_on_torchvision
from skmerc._utils.files import write_atomically
from skmerc._utils.locks import LOADING
from skmerc._utils.optional import need
from skmerc._utils.seeding import undisturbed
from skmerc._utils.types import FilePath
from skmerc.frame._conversations import blocks_of
from skmerc.fusion import DJVAEFuser
from skmerc.recognition import JoyfulRegressor
from skmerc.recognition._base import DialogueEstimator


def export_model(model: BaseEstimator, path: FilePath) -> None:
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
    need("export", "onnx", "onnxscript")
    steps = _steps(model)
    first, last = steps[0], steps[-1]
    with (
        LOADING,  # torch traces for one thread at a time
        undisturbed(),
        silent_on_torchvision(),
        warnings.catch_warnings(),
    ):
        # torch calls a part of itself deprecated, as of 2.13.
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
        name, answer = _answer(last)
        exported = _to_onnx(_Graph(steps, answer), first.n_features_in_, name)
    for key, value in (_input(first) | _output(last)).items():
        exported.metadata_props.add(key=key, value=json.dumps(value, default=str))
    write_atomically(path, exported.SerializeToString())


class _Graph(nn.Module):
    """What is exported: networks one after another, and the last one's answer."""

    def __init__(self, steps: list[Any], answer: nn.Module) -> None:
        super().__init__()
        self.networks = nn.ModuleList(step.net_.module_ for step in steps)
        self.outputs, self.answer = [_read_of(step) for step in steps], answer

    def forward(self, features: Tensor, speaker: Tensor) -> Tensor:
        given = {"sequence": torch.zeros_like(speaker), "speaker": speaker}
        for network, output in zip(self.networks, self.outputs, strict=True):
            features = getattr(network(features=features, **given), output)
        return self.answer(features)


class _Affine(nn.Module):
    factor: Tensor
    shift: Tensor

    def __init__(self, factor: Any, shift: Any) -> None:
        super().__init__()
        self.register_buffer("factor", torch.as_tensor(factor, dtype=torch.float32))
        self.register_buffer("shift", torch.as_tensor(shift, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x + self.shift


def _steps(model: Any) -> list[Any]:
    """The fusers and the estimator that answer, all of them fit for export."""
    model, name = _pipeline_of(model)
    given = [model]
    if isinstance(model, Pipeline):
        given = [step for _, step in model.steps]
    numbered = [(k, step) for k, step in enumerate(given, start=1) if _answers(step)]
    steps = [step for _, step in numbered]
    for number, step in numbered:
        _refuse_other(step, number, step is steps[-1], name)
    for step in steps:
        check_is_fitted(step, "net_")
        _refuse_head(step)
        _refuse_convolution(step)
    return steps


def _pipeline_of(model: Any) -> tuple[Any, str]:
    """Return what answers inside a recognizer, and what a user calls it."""
    if hasattr(model, "pipeline_"):
        return model.pipeline_, "model.pipeline_"
    return model, "model"


def _answers(step: Any) -> bool:
    """Whether a step of a pipeline takes part when it answers."""
    return step not in (None, "passthrough") and not hasattr(step, "fit_resample")


def _refuse_other(step: Any, number: int, last: bool, name: str) -> None:
    if isinstance(step, DJVAEFuser) or (last and isinstance(step, DialogueEstimator)):
        return
    kind, holds = type(step).__name__, "the graph holds networks of skmerc only"
    if last:
        raise ValueError(
            f"{kind} cannot be exported: {holds}. Keep the model with save_model, for "
            "Python."
        )
    behind, before = f"{name}[{number}:]", f"{name}[:{number}]"
    raise ValueError(
        f"{kind} cannot be exported before the last step of a pipeline: {holds}. "
        f"Export the steps behind it alone, export_model({behind}, path), and give "
        f"the graph what those before make, {before}.transform(X) without its keys: a "
        "sentence model stays in Python, or is exported by its own library. Or keep "
        "everything with save_model, for Python."
    )


def _refuse_head(step: Any) -> None:
    head = getattr(step, "head_", None)
    if head is not None:
        raise ValueError(
            f"The head of {type(step).__name__}, {type(head).__name__}, cannot be "
            "exported: it is no network. Fit with head=None, whose answers come from "
            "the network, or keep the model with save_model, for Python."
        )


def _refuse_convolution(step: Any) -> None:
    conv = getattr(step, "conv", None)
    if isinstance(conv, type):
        raise ValueError(
            f"{type(step).__name__} with conv={conv.__name__} cannot be exported: "
            "the graph knows 'mean', 'rgcn' and 'attention'. Fit with one of them, or "
            "keep the model with save_model, for Python."
        )


def _read_of(step: Any) -> str:
    """Name what is read of a network's output."""
    if isinstance(step, DJVAEFuser):
        return "mean" if step.output == "latent" else "mean_and_blocks"
    return "logits"


def _answer(step: Any) -> tuple[str, nn.Module]:
    """Name what the estimator answers, and what makes it of the network's output."""
    if isinstance(step, DJVAEFuser):
        return "fused", nn.Identity()
    if isinstance(step, JoyfulRegressor):
        scale = _Affine(step._task.unit, step._task.mean)
        return "score", nn.Sequential(nn.Flatten(0), scale)
    if step._task.kind == "label_sets":
        return "probabilities", nn.Sigmoid()
    shift = _Affine(1.0, step._prior_shift())
    return "probabilities", nn.Sequential(shift, nn.Softmax(dim=1))


def _to_onnx(graph: nn.Module, n_features: int, output: str) -> Any:
    # Torch wants its proofs from three turns on; the graph knows no such bound.
    turns = {0: torch.export.Dim("turns", min=3)}
    example = torch.zeros(5, n_features), torch.zeros(5, dtype=torch.int64)
    # A copy, since tracing puts other tensors into the very modules that answer.
    graph = deepcopy(graph).cpu().eval()
    traced = torch.export.export(graph, example, dynamic_shapes=(turns, turns))
    program: Any = torch.onnx.export(
        traced,
        dynamo=True,
        verbose=False,
        input_names=["features", "speaker"],
        output_names=[output],
    )
    return _tidy(program.model_proto)


def _tidy(exported: Any) -> Any:
    """Name the number of turns, and drop notes on how and where the graph was made."""
    graph = exported.graph
    del graph.value_info[:]
    for value in [*graph.input, *graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "turns"
    parts = graph.node, graph.input, graph.output, graph.initializer
    for thing in [graph, *(thing for part in parts for thing in part)]:
        del thing.metadata_props[:]
    return exported


def _input(step: Any) -> dict[str, Any]:
    """Metadata of what the first step reads."""
    n = step.n_features_in_
    names = getattr(step, "feature_names_in_", None)
    return {
        "skmerc": __version__,
        "features": [f"x{j}" for j in range(n)] if names is None else list(names),
        "modalities": {
            name: np.arange(n)[where].tolist()
            for name, where in blocks_of(step).items()
        },
    }


def _output(step: Any) -> dict[str, Any]:
    """Metadata of what the last step answers."""
    about = {"model": type(step).__name__}
    if isinstance(step, DJVAEFuser):
        return about | {"columns": step._value_names()}
    if isinstance(step, JoyfulRegressor):
        return about
    return about | {"classes": step.classes_.tolist()}
