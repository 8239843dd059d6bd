"""A fit that is killed and started again ends where it would have ended."""

import hashlib
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.utils import noop
from systems import FURTHER, answer_of, make_model, mostly_slow

from skmerc import CBERLClassifier, DJVAEFuser, JoyfulClassifier, JoyfulRegressor
from skmerc._training._checkpoint_folder import CheckpointFolder
from skmerc._training.nets import Checkpoint
from skmerc.datasets import make_conversations
from skmerc.exceptions import (
    DamagedCheckpointWarning,
    InterruptedTrainingWarning,
    OtherThreadsWarning,
)
from skmerc.frame import mark_validation

N_KILLS = int(os.environ.get("SKMERC_KILLS", 10))

SMALL = {
    "hidden_size": 8,
    "max_epochs": 3,
    "validation_fraction": 0.4,
    "device": "cpu",
    "random_state": 0,
}
JOYFUL = SMALL | {
    "fusion_size": 8,
    "heads": 2,
    "n_bases": 4,
    "lr": 0.01,
    "batch_size": 64,
}
FUSER = {
    "latent_size": 4,
    "hidden_size": 8,
    "max_epochs": 3,
    "warmup_epochs": 3,
    "batch_size": 20,
    "device": "cpu",
    "random_state": 0,
}


class Cut(Callback):
    """A callback that knows something between epochs, and raises the stakes."""

    def initialize(self):
        self.seen_ = []
        return self

    def on_epoch_end(self, net, **kwargs):
        self.seen_.append(float(torch.rand(1)))
        net.module_.classify.bias.data += 0.01 * sum(self.seen_)


# No loss falls by ten times what it is.
STOP = EarlyStopping("train_loss", patience=2, threshold=10, sink=noop)
PLATEAU = LRScheduler("ReduceLROnPlateau", monitor="train_loss", patience=0, factor=0.1)
MODELS = {
    "cberl": CBERLClassifier(**SMALL, lstm_layers=1),
    "cberl_in_full": CBERLClassifier(
        **SMALL,
        fusion="djvae",
        latent_size=4,
        mask="class_aware",
        optimizer=torch.optim.NAdam,
        callbacks=[Cut(), PLATEAU],
        head=LogisticRegression(max_iter=50, tol=1e-2),
        patience=None,
    ),
    "stops_early": CBERLClassifier(
        **(SMALL | {"max_epochs": 7, "lr": 0.1}), callbacks=[STOP], lstm_layers=1
    ),
    "joyful": JoyfulClassifier(**JOYFUL),
    "in_two_phases": JoyfulClassifier(**JOYFUL, training="two-phase"),
    "regressor": JoyfulRegressor(**JOYFUL, modality_dropout=0.3),
    "fuser": DJVAEFuser(**FUSER),
    "fuser_in_full": DJVAEFuser(
        **FUSER,
        classification_weight=1.0,
        posterior="poe",
        callbacks=[LRScheduler("StepLR", step_size=1), PLATEAU],
        net_params={"optimizer": torch.optim.NAdam},
    ),
    **{name: make_model(name, **SMALL) for name in FURTHER},
}


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def table():
    return make_conversations(12, n_turns=(7, 10), random_state=0)


@pytest.fixture
def kill(monkeypatch):
    """A function: kill training after an epoch, before or after it is written."""
    write = Checkpoint.on_epoch_end

    def set_up(epoch, written=True):
        def on_epoch_end(self, net, **kwargs):
            if written or len(net.history) != epoch:
                write(self, net, **kwargs)
            if len(net.history) == epoch:
                raise Killed

        monkeypatch.setattr(Checkpoint, "on_epoch_end", on_epoch_end)

    return set_up


def target_for(model, table):
    return table[0]["text__0"] if isinstance(model, JoyfulRegressor) else table[1]


def told(model):
    return [
        {name: value for name, value in epoch.items() if name != "dur"}
        for epoch in model.history_
    ]


def assert_equal(model, expected, X):
    weights, wanted = (m.net_.module_.state_dict() for m in (model, expected))
    assert all(torch.equal(weights[name], wanted[name]) for name in wanted)
    names = {JoyfulRegressor: "regressor", DJVAEFuser: "fuser"}
    answers = (answer_of(m, names.get(type(m)), X) for m in (model, expected))
    np.testing.assert_array_equal(*answers)
    assert told(model) == told(expected)
    assert model.n_iter_ == expected.n_iter_


@pytest.mark.parametrize(
    ("name", "written"),
    mostly_slow([*((name, True) for name in MODELS), ("joyful", False)]),
)
def test_killed_at_each_epoch_it_ends_with_the_same_weights(
    table, tmp_path, kill, name, written, global_state_untouched
):
    X, y = table[0], target_for(MODELS[name], table)
    if name == "fuser_in_full":
        X = mark_validation(X, fraction=0.3, random_state=0)
    expected = clone(MODELS[name]).fit(X, y)
    model = clone(MODELS[name]).set_params(checkpoint=tmp_path / "folder")
    last = expected.n_iter_
    if name == "stops_early":
        assert last < model.max_epochs
        last -= 1  # the epoch that stops training is not written
    for epoch in range(1, last + 1):
        kill(epoch, written)
        with global_state_untouched(), pytest.raises(Killed):
            clone(model).fit(X, y)
        kept = sorted(os.listdir(tmp_path / "folder"))
        done = epoch if written else epoch - 1
        assert kept == [f"epoch-{n:06}.pt" for n in range(done - 1, done + 1) if n > 0]
    kill(None)
    model.fit(X, y)
    assert_equal(model, expected, X)
    assert os.listdir(tmp_path / "folder") == []


@pytest.mark.slow
def test_a_run_that_nothing_happens_to_is_the_same_and_leaves_nothing(table, tmp_path):
    X, y = table
    expected = clone(MODELS["cberl"]).fit(X, y)
    model = clone(MODELS["cberl"]).set_params(checkpoint=str(tmp_path / "a" / "b"))
    assert_equal(model.fit(X, y), expected, X)
    assert os.listdir(tmp_path / "a" / "b") == []
    model.set_params(lr=0.1).fit(X, y)  # another fit may follow
    assert np.abs(model.predict_proba(X) - expected.predict_proba(X)).max() > 1e-3
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_only_what_is_left_is_trained(table, tmp_path, kill, caplog):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    kill(2)
    with pytest.raises(Killed):
        clone(model).fit(*table)
    trained = Count()
    net_epochs = CBERLClassifier._make_net

    def watched(self, *arguments):
        net = net_epochs(self, *arguments)
        net.callbacks.append(trained)
        return net

    kill(None)
    CBERLClassifier._make_net = watched
    try:
        with caplog.at_level("INFO", "skmerc"):
            model.fit(*table)
    finally:
        CBERLClassifier._make_net = net_epochs
    assert trained.epochs == [3]
    assert "Training goes on after epoch 2" in caplog.text


class Count(Callback):
    """Number of each epoch that begins."""

    def __init__(self):
        self.epochs = []

    def on_epoch_begin(self, net, **kwargs):
        self.epochs.append(len(net.history))


@pytest.mark.slow
def test_it_goes_on_after_all_epochs_when_the_head_was_not_fitted(
    table, tmp_path, monkeypatch
):
    X, y = table
    model = clone(MODELS["cberl_in_full"])
    expected = clone(model).fit(X, y)
    model.set_params(checkpoint=tmp_path)

    def fail(self, *arguments):
        raise Killed

    monkeypatch.setattr(CBERLClassifier, "_finish", fail)
    with pytest.raises(Killed):
        clone(model).fit(X, y)
    monkeypatch.undo()
    assert_equal(model.fit(X, y), expected, X)


@pytest.mark.slow
def test_a_warm_start_goes_on_from_its_own_start(table, tmp_path, kill):
    X, y = table
    first = clone(MODELS["cberl"]).set_params(warm_start=True).fit(X, y)
    before = pickle.dumps(first)
    expected = first.fit(X, y)
    model = pickle.loads(before).set_params(checkpoint=tmp_path)
    kill(2)
    with pytest.raises(Killed):
        model.fit(X, y)
    kill(None)
    with pytest.raises(ValueError, match="the weights at the start"):
        clone(model).fit(X, y)
    model = pickle.loads(before).set_params(checkpoint=tmp_path)
    assert_equal(model.fit(X, y), expected, X)


def test_an_interrupt_keeps_the_checkpoint(table, tmp_path, monkeypatch):
    X, y = table
    expected = clone(MODELS["cberl"]).fit(X, y)
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    write = Checkpoint.on_epoch_end

    def press(self, net, **kwargs):
        write(self, net, **kwargs)
        if len(net.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "on_epoch_end", press)
    with pytest.warns(InterruptedTrainingWarning):
        model.fit(X, y)
    assert model.n_iter_ == 2
    monkeypatch.undo()
    assert_equal(model.fit(X, y), expected, X)


OTHERS = {
    "lr": lambda model, X, y: (model.set_params(lr=0.1), X, y),
    "max_epochs": lambda model, X, y: (model.set_params(max_epochs=9), X, y),
    "callbacks": lambda model, X, y: (model.set_params(callbacks=[Cut()]), X, y),
    "net_params": lambda model, X, y: (
        model.set_params(net_params={"optimizer__amsgrad": True}),
        X,
        y,
    ),
    "random_state": lambda model, X, y: (model.set_params(random_state=1), X, y),
    "X": lambda model, X, y: (model, X.assign(text__0=0.0), y),
    "y": lambda model, X, y: (model, X, np.roll(y, 1)),
}


@pytest.mark.parametrize("change", mostly_slow(OTHERS))
def test_the_checkpoint_of_another_fit_is_refused_by_name(
    table, tmp_path, kill, change
):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    kill(2)
    with pytest.raises(Killed):
        clone(model).fit(*table)
    kill(None)
    kept = os.listdir(tmp_path)
    other, X, y = OTHERS[change](clone(model), *table)
    with pytest.raises(ValueError, match=rf"another fit.*\b{change}\b.*folder"):
        other.fit(X, y)
    assert os.listdir(tmp_path) == kept


@pytest.mark.slow
def test_other_weights_are_another_fit_and_another_device_is_not(table, tmp_path, kill):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    kill(2)
    with pytest.raises(Killed):
        clone(model).fit(*table)
    kill(None)
    weight = np.arange(len(table[1])) % 2
    with pytest.raises(ValueError, match="another fit.*sample_weight"):
        clone(model).fit(*table, sample_weight=weight)
    model.set_params(verbose=1, device="auto").fit(*table)
    assert_equal(model, clone(MODELS["cberl"]).fit(*table), table[0])


@pytest.mark.parametrize(
    ("damage", "how_many"),
    mostly_slow([("cut", 1), ("cut", 2), ("empty", 1), ("flipped", 1)]),
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    table, tmp_path, kill, damage, how_many
):
    X, y = table
    expected = clone(MODELS["joyful"]).fit(X, y)
    model = clone(MODELS["joyful"]).set_params(checkpoint=tmp_path)
    kill(2)
    with pytest.raises(Killed):
        clone(model).fit(X, y)
    kill(None)
    for path in sorted(tmp_path.iterdir())[-how_many:]:
        whole = path.read_bytes()
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        forms = {"cut": whole[:-7], "empty": b"", "flipped": flipped}
        path.write_bytes(forms[damage])
    with pytest.warns(
        DamagedCheckpointWarning, match=r"epoch-00000\d.pt is damaged"
    ) as told:
        model.fit(X, y)
    assert len(told) == how_many
    assert_equal(model, expected, X)
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_write_that_fails_leaves_the_checkpoint_before(table, tmp_path, monkeypatch):
    X, y = table
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    replace = os.replace

    def fail(source, target):
        if "000003" in str(target):
            raise OSError("the disk is full")
        replace(source, target)

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="full"):
        clone(model).fit(X, y)
    assert sorted(os.listdir(tmp_path)) == ["epoch-000001.pt", "epoch-000002.pt"]
    monkeypatch.undo()
    assert_equal(model.fit(X, y), clone(MODELS["cberl"]).fit(X, y), X)


def test_no_code_is_run_by_reading_a_checkpoint(table, tmp_path, kill):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    kill(1)
    with pytest.raises(Killed):
        clone(model).fit(*table)
    kill(None)
    mark = tmp_path / "mark"
    path = tmp_path / "epoch-000001.pt"
    torch.save({"history": Mkdir(str(mark))}, path)
    forged = path.read_bytes()
    path.write_bytes(hashlib.sha256(forged).digest() + forged)
    with pytest.raises(ValueError, match="Nothing of it has run"):
        model.fit(*table)
    assert not mark.exists()


class Mkdir:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def test_what_cannot_be_known_again_is_refused_before_training(table, tmp_path):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path / "a")
    for state in (None, np.random.RandomState(0)):
        with pytest.raises(ValueError, match="needs an integer random_state"):
            clone(model).set_params(random_state=state).fit(*table)
    cut = Cut()
    cut.function = lambda: None
    with pytest.raises(ValueError, match=r"callbacks=.*cannot be pickled"):
        model.set_params(callbacks=[cut]).fit(*table)
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        clone(MODELS["cberl"]).set_params(checkpoint=tmp_path / "file").fit(*table)


class Odd(Callback):
    """Writes into the history what is no number."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("odd", object())


def test_a_state_that_cannot_be_kept_is_told(table, tmp_path):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path, callbacks=[Odd()])
    with pytest.raises(TypeError, match="A checkpoint cannot keep <object"):
        model.fit(*table)


# Folders that are not empty


def interrupt(model, table, kill, epoch=2):
    kill(epoch)
    with pytest.raises(Killed):
        clone(model).fit(*table)
    kill(None)


@pytest.mark.slow
def test_files_of_the_user_stay(table, tmp_path, kill):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    own = ["epoch-best.pt", "epoch-abc.pt", "epoch-3.pt", ".epoch-best.tmp", "epoch.pt"]
    for name in own:
        (tmp_path / name).write_bytes(b"mine")
    interrupt(model, table, kill)
    (tmp_path / ".epoch-000003.pt.123.tmp").write_bytes(b"half of an epoch")
    model.fit(*table)
    assert sorted(os.listdir(tmp_path)) == sorted(own)


def test_a_file_of_the_user_is_not_written_over(table, tmp_path):
    torch.save({"mine": torch.ones(3)}, tmp_path / "epoch-000001.pt")
    before = (tmp_path / "epoch-000001.pt").read_bytes()
    with pytest.raises(ValueError, match="would be written over"):
        clone(MODELS["cberl"]).set_params(checkpoint=tmp_path).fit(*table)
    assert (tmp_path / "epoch-000001.pt").read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(
    "kind", mostly_slow(["pipe", "device", "folder", "dangling link"])
)
def test_what_is_no_file_is_told_and_passed_over(table, tmp_path, kill, kind):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    interrupt(model, table, kill)
    path = tmp_path / "epoch-000009.pt"
    make = {
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "folder": path.mkdir,
        "dangling link": lambda: path.symlink_to(tmp_path / "nowhere"),
    }
    make[kind]()
    with pytest.warns(DamagedCheckpointWarning, match="epoch-000009.pt"):
        model.fit(*table)
    assert os.listdir(tmp_path) == ["epoch-000009.pt"]
    assert_equal(model, clone(MODELS["cberl"]).fit(*table), table[0])


class FitBeside(Callback):
    """Start another fit in the same folder."""

    def __init__(self, model, table):
        self.model, self.table = model, table

    def on_epoch_end(self, net, **kwargs):
        with pytest.raises(ValueError, match="a fit that is running.*another folder"):
            self.model.fit(*self.table)
        type(self).tried = len(net.history)


@pytest.mark.slow
def test_two_fits_in_one_folder_are_refused(table, tmp_path):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    beside = FitBeside(clone(model), table)
    model.set_params(callbacks=[beside]).fit(*table)
    assert FitBeside.tried == model.n_iter_
    clone(model).set_params(callbacks=None).fit(*table)  # later it may
    assert os.listdir(tmp_path) == []


def test_a_lock_that_a_killed_process_left_keeps_nobody_out(table, tmp_path):
    (tmp_path / ".epoch.lock").touch()
    clone(MODELS["cberl"]).set_params(checkpoint=tmp_path).fit(*table)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="needs locks of POSIX")
def test_where_files_cannot_be_locked_it_trains_and_says_so(
    table, tmp_path, monkeypatch, caplog
):
    import errno
    import fcntl

    def refuse(*arguments):
        raise OSError(errno.ENOSYS, "not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    clone(MODELS["cberl"]).set_params(checkpoint=tmp_path).fit(*table)
    assert "cannot be locked" in caplog.text
    assert os.listdir(tmp_path) == []


# States that are not what this fit would have written


@pytest.mark.slow
def test_another_version_of_the_package_is_another_fit(
    table, tmp_path, kill, monkeypatch
):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    interrupt(model, table, kill)
    monkeypatch.setattr("skmerc.__version__", "0.0.0")
    with pytest.raises(ValueError, match="differs in the version of skmerc"):
        model.fit(*table)


@pytest.mark.slow
def test_another_number_of_threads_is_told(table, tmp_path, kill, monkeypatch):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    interrupt(model, table, kill)
    monkeypatch.setattr("torch.get_num_threads", lambda: 7)
    with pytest.warns(OtherThreadsWarning, match="1 threads before .* 7 now"):
        model.fit(*table)


def nested():
    thing = []
    for _ in range(40):
        thing = [thing, thing]
    return {"history": thing}


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


def with_optimizer(state, value):
    known = {k: dict(v, exp_avg=value) for k, v in state["optimizer_"]["state"].items()}
    return state | {"optimizer_": state["optimizer_"] | {"state": known}}


FORGED = {
    "nothing": lambda state: None,
    "a list": lambda state: [1, 2],
    "nested": lambda state: nested(),
    "no history": lambda state: without(state, "history"),
    "a long history": lambda state: state | {"history": state["history"] * 99},
    "words for epochs": lambda state: state | {"history": ["first"]},
    "a method of a callback": lambda state: (
        state | {"callbacks": {"loss_terms": {"on_epoch_end": 5}}}
    ),
    "no optimizer": lambda state: without(state, "optimizer_"),
    "text for numbers": lambda state: state | {"module_": "weights"},
    "no weights": lambda state: state | {"module_": {}},
    "wide weights": lambda state: (
        state | {"module_": {k: torch.zeros(3, 3) for k in state["module_"]}}
    ),
    "no state of the optimizer": lambda state: state | {"optimizer_": {}},
    "far numbers": lambda state: with_optimizer(state, torch.zeros(9, 9)),
    "spread numbers": lambda state: with_optimizer(
        state, torch.zeros(1).expand(700_000_000)
    ),
    "random numbers": lambda state: state | {"rng": {"cpu": torch.zeros(3)}},
    "words for random numbers": lambda state: state | {"rng": {"cpu": "dice"}},
}


@pytest.mark.parametrize("kind", mostly_slow(FORGED))
def test_a_forged_state_is_one_kind_of_error(table, tmp_path, kill, kind):
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path)
    interrupt(model, table, kill, epoch=1)
    (_, state), *_ = CheckpointFolder(tmp_path).read()
    CheckpointFolder(tmp_path).write(1, FORGED[kind](state))
    with pytest.raises(ValueError, match="[Dd]elete it, or name another folder"):
        model.fit(*table)


@pytest.mark.parametrize("content", [b"", b"\x80", b"PK", b"PK\x03\x04" + bytes(50)])
def test_content_that_is_no_archive_too(table, tmp_path, content):
    magic = b"state of a fit of skmerc\n"
    forged = magic + hashlib.sha256(content).digest() + content
    (tmp_path / "epoch-000001.pt").write_bytes(forged)
    with pytest.raises(ValueError, match="no checkpoint of this package"):
        clone(MODELS["cberl"]).set_params(checkpoint=tmp_path).fit(*table)


def test_partial_fit_keeps_none(table, tmp_path):
    X, y = table
    model = clone(MODELS["cberl"]).set_params(checkpoint=tmp_path / "a")
    model.partial_fit(X, y, np.unique(y)).partial_fit(X, y)
    assert model.n_iter_ == 2
    assert not (tmp_path / "a").exists()


SCRIPT = """
import sys, warnings
from skmerc import JoyfulClassifier
from skmerc.datasets import make_conversations
from skmerc.persistence import save_model

X, y = make_conversations(40, random_state=0)
model = JoyfulClassifier(
    fusion_size=8, heads=2, n_bases=4, hidden_size=8, max_epochs=20, device="cpu",
    random_state=0, checkpoint=sys.argv[1],
)
print("begins", flush=True)
save_model(model.fit(X, y), sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_at_random_moments_change_nothing(tmp_path):
    pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")
    from skmerc.persistence import load_model

    def start(folder):
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, folder, f"{folder}.m"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        )
        with process.stdout as output:
            assert output.readline() == "begins\n"
        return process, time.monotonic()

    process, begun = start(str(tmp_path / "whole"))
    assert process.wait() == 0
    duration = time.monotonic() - begun
    moment, folder, kills = random.Random(0), tmp_path / "killed", 0
    while kills < N_KILLS:
        process, _ = start(str(folder))
        try:
            process.wait(moment.uniform(0, duration / 4))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        else:  # it came to its end: once more from the start
            assert process.returncode == 0
            shutil.rmtree(folder)
    process, _ = start(str(folder))
    assert process.wait() == 0
    model, expected = (load_model(tmp_path / f"{n}.m") for n in ("killed", "whole"))
    X, _ = make_conversations(40, random_state=0)
    model.checkpoint = expected.checkpoint
    assert_equal(model, expected, X)
    assert os.listdir(folder) == []
