"""Two processes train one network, through Hugging Face accelerate."""

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNet
from test_engine import dialogues

from skmerc import CBERLClassifier, DJVAEFuser, JoyfulClassifier
from skmerc._training import DialogueLoader
from skmerc._training._parallel import SharedLoader
from skmerc.datasets import make_conversations
from skmerc.frame import mark_validation
from skmerc.losses import weighted_mean
from skmerc.persistence import load_model, save_model

WORKER = Path(__file__).with_name("parallel_worker.py")
SMALL = {"hidden_size": 8, "heads": 2, "device": "cpu", "random_state": 0}
# Of 15 dialogues two are held out, so the last batch is one dialogue, for two.
TRAINING = {"batch_size": 6, "lr": 1e-2, "max_epochs": 3}
SAME = {"dropout": 0.0} | SMALL | TRAINING
CBERL = CBERLClassifier(mask_rate=0.0, lstm_layers=1, class_weight="balanced", **SAME)
JOYFUL = JoyfulClassifier(
    contrast_weight=0.0, augmentation_rate=0.0, fusion_size=8, **SAME
)
MODELS = {
    "CBERL": CBERL,
    "JOYFUL": JOYFUL,
    "stopped early": clone(CBERL).set_params(max_epochs=20, patience=2),
    "in two phases": clone(JOYFUL).set_params(training="two-phase"),
    "CBERL with drawn masks": CBERLClassifier(lstm_layers=1, **SMALL, **TRAINING),
    "JOYFUL with drawn views": JoyfulClassifier(fusion_size=8, **SMALL, **TRAINING),
    "fuser": DJVAEFuser(
        latent_size=4,
        hidden_size=8,
        classification_weight=1.0,
        device="cpu",
        random_state=0,
        **TRAINING | {"batch_size": 16},
    ),
}
EXACT = list(MODELS)[:4]


@pytest.fixture(scope="module")
def table():
    X, y = make_conversations(15, n_turns=(3, 6), imbalance=3, random_state=0)
    return mark_validation(X, fraction=0.3, random_state=0), y


def loss_of(answer):
    return weighted_mean(answer["target"].float(), answer["weight"])


def test_the_mean_of_the_shares_losses_is_the_loss_of_the_batch():
    def loader():
        return DialogueLoader(dialogues(21), 3, shuffle=True, seed=1)

    shares = [SharedLoader(loader(), index, 2) for index in (0, 1)]
    batches = list(zip(loader(), *shares, strict=True))
    assert [len(batch[0][1]["weight"]) for batch in batches] == [9, 9, 3]
    for (_, whole), *parts in batches:
        losses = [loss_of(answer) * answer["factor"] for _, answer in parts]
        torch.testing.assert_close(torch.stack(losses).mean(), loss_of(whole))


def free_port():
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        return used.getsockname()[1]


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    """Models and their answers, from each of two processes that trained them."""
    pytest.importorskip("accelerate", reason="needs accelerate: skmerc[parallel]")
    folder = tmp_path_factory.mktemp("parallel")
    (folder / "models.pkl").write_bytes(pickle.dumps((MODELS, table)))
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    group["MASTER_PORT"] = str(free_port())
    processes = []
    for rank in "01":
        command = [sys.executable, WORKER, folder / "models.pkl", folder / rank]
        place = {"RANK": rank, "LOCAL_RANK": rank}
        path = {"PYTHONPATH": str(WORKER.parents[2])}
        environment = os.environ | group | place | path
        processes.append(subprocess.Popen(command, env=environment))
    try:
        assert [process.wait(timeout=240) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    return [pickle.loads((folder / rank).read_bytes()) for rank in "01"]


def curves(model):
    """What the history says of each epoch, without the time it took."""
    names = [name for name in model.history_[0] if name != "dur"]
    return {name: [epoch[name] for epoch in model.history_] for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_the_curves_of_two_processes_are_those_of_one(table, trained, name):
    alone = clone(MODELS[name]).fit(*table)
    for models, answers in trained:
        together = curves(models[name])
        assert together.keys() == curves(alone).keys()
        for curve, values in curves(alone).items():
            np.testing.assert_allclose(together[curve], values, atol=1e-4)
        np.testing.assert_allclose(
            answers[name], alone.predict_proba(table[0]), atol=1e-4
        )


@pytest.mark.slow
def test_processes_stop_early_at_the_same_time_and_keep_the_best(trained):
    for models, _ in trained:
        scores = curves(models["stopped early"])["valid_weighted_f1"]
        assert len(scores) == min(np.argmax(scores) + 1 + 2, 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_processes_end_with_equal_weights_and_answers(trained, name):
    (first, answers), (second, others) = trained
    assert curves(first[name]) == curves(second[name])
    np.testing.assert_array_equal(answers[name], others[name])
    other = second[name].net_.module_.state_dict()
    for part, weight in first[name].net_.module_.state_dict().items():
        assert torch.equal(weight, other[part]), part


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MODELS.keys() - EXACT))
def test_with_drawn_numbers_two_processes_learn_what_one_does(table, trained, name):
    alone = curves(clone(MODELS[name]).fit(*table))["train_loss"]
    together = curves(trained[0][0][name])["train_loss"]
    assert alone != together
    np.testing.assert_allclose(together, alone, rtol=0.25)


@pytest.mark.slow
def test_a_trained_net_is_an_ordinary_one_that_can_be_saved(table, trained, tmp_path):
    models, answers = trained[0]
    model = models["JOYFUL"].set_params(net_params=None)
    assert type(model.net_) is NeuralNet
    assert b"accelerate" not in pickle.dumps(model)
    save_model(model, tmp_path / "model.skmerc")
    again = load_model(tmp_path / "model.skmerc")
    np.testing.assert_allclose(again.predict_proba(table[0]), answers["JOYFUL"])
    again.partial_fit(*table)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"checkpoint": "folder"}, ValueError, "do not go together"),
        ({"random_state": None}, ValueError, "integer random_state"),
        ({"net_params": {"accelerator": "cpu"}}, TypeError, "'cpu'; give an instance"),
    ],
    ids=["checkpoint", "random state", "another thing"],
)
def test_what_processes_would_not_do_alike_is_refused(table, changes, error, message):
    accelerator = SimpleNamespace(prepare=None)
    model = clone(CBERL).set_params(net_params={"accelerator": accelerator})
    with pytest.raises(error, match=message):
        model.set_params(**changes).fit(*table)
    assert not hasattr(model, "net_")
