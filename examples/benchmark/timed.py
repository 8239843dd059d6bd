"""What ``speed.py`` measures: each work in a process of its own.

A job comes as JSON; CPU seconds, seconds by the clock and memory go back. A work
prepares what it needs and returns what is timed, and a bare loop where there is one to
compare with.
"""

import ctypes
import json
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import torch
from imblearn.pipeline import make_pipeline
from sklearn.base import clone

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmark.one import peak_memory
from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc._training import DialogueDataset, DialogueLoader
from skmerc.datasets import make_conversations
from skmerc.frame import mark_validation
from skmerc.frame._conversations import read_conversations
from skmerc.fusion._training import rows_of
from skmerc.graph import speaker_relations, window_edges
from skmerc.sampling._adversarial import (
    ClassBalancedBatches,
    Game,
    Utterances,
    Weights,
    make_fakes,
)

ONE_EPOCH = {"max_epochs": 1, "patience": None, "random_state": 0, "device": "cpu"}
EPOCHS = 3
"""How many are compared with a bare loop."""
LONG_ENOUGH, REPEATS, ROUNDS = 2.0, 5, 2
"""What takes fewer seconds is measured again, and the least of them counts."""
IEMOCAP = {"text": 768, "audio": 100, "visual": 512}


def iemocap(**changes):
    """A table of IEMOCAP's shapes: 151 dialogues, six emotions."""
    shapes = {"n_turns": (8, 90), "imbalance": 3, "modalities": IEMOCAP} | changes
    return make_conversations(151, n_classes=6, random_state=0, **shapes)


def as_peers_train(X):
    """Hold 31 dialogues out, which peers score after they trained on the others."""
    return mark_validation(X, dialogues=X["dialogue__id"].unique()[-31:])


def narrow(n):
    """A table of 32 columns: dialogues of 20 turns."""
    return make_conversations(n // 20, n_turns=20, imbalance=8, random_state=0)


def released_epoch():
    """An epoch of JOYFUL at its released widths."""
    X, y = iemocap()
    model = JoyfulClassifier.from_preset("released", **ONE_EPOCH, batch_size=32)
    return partial(model.fit, as_peers_train(X), y)


def graph_epoch():
    """An epoch of CBERL with DialogueGCN's features, window, width and batches."""
    X, y = iemocap(n_turns=49, modalities={"text": 100, "audio": 100, "visual": 512})
    window = {"window_past": 10, "window_future": 10, "hidden_size": 100}
    model = CBERLClassifier(**ONE_EPOCH, **window, batch_size=32)
    return partial(model.fit, as_peers_train(X), y)


def epoch(kind, n=None):
    """An epoch on a narrow table of n utterances, or on one of IEMOCAP's shapes."""
    X, y = narrow(n) if n else iemocap()
    if kind == "generator":
        steps = {"n_steps": len(X) // 64, "sampling_strategy": "mean", "device": "cpu"}
        sampler = MultimodalGANSampler(**steps, random_state=0)
        clone(sampler).set_params(n_steps=2).fit_resample(X[:1000], y[:1000])
        return partial(sampler.fit_resample, X, y)
    model = ESTIMATORS[kind](**ONE_EPOCH)
    clone(model).fit(X[:1000], y[:1000])
    return partial(model.fit, X, y)


ESTIMATORS = {
    "fuser": DJVAEFuser,
    "CBERL": CBERLClassifier,
    "JOYFUL": JoyfulClassifier,
}


def pipeline():
    """The three steps with their defaults on 10,000 utterances of 700 columns."""
    X, y = make_conversations(
        1000, n_turns=10, n_classes=7, imbalance=17, random_state=0,
        modalities={"text": 384, "audio": 200, "visual": 116},
    )  # fmt: skip
    fuser, classifier = DJVAEFuser(random_state=0), CBERLClassifier(random_state=0)
    sampler = MultimodalGANSampler(sampling_strategy="mean", random_state=0)
    return partial(make_pipeline(sampler, fuser, classifier).fit, X, y)


def reading(n):
    """Reading a table."""
    X, _ = narrow(n)
    return lambda: read_conversations(DJVAEFuser(), X, reset=True)


def graph(n, relations=True):
    """Windows of ten turns, and relations of speakers."""
    lengths = torch.full((n // 20,), 20)
    speaker = torch.arange(n) % 2

    def build():
        edges = window_edges(lengths, 10, 10)
        return speaker_relations(edges, speaker) if relations else edges

    return build


def answers(kind, n, columns="32", one_dialogue=False):
    """Answers for all utterances of a table, by a model of the default size."""
    X, y = narrow(n) if columns == "32" else wide(n)
    model = ESTIMATORS[kind](**ONE_EPOCH).fit(X[:1000], y[:1000])
    if one_dialogue:
        X = X.assign(dialogue__id="one", dialogue__turn=np.arange(len(X)))
    model.predict(X[:1000])
    return partial(model.predict, X)


def wide(n):
    """A table as wide as IEMOCAP's: dialogues of 20 turns."""
    return make_conversations(n // 20, n_turns=20, modalities=IEMOCAP, random_state=0)


def beside_bare(kind):
    """Some epochs, and a loop that does nothing but learn from batches made before."""
    X, y = iemocap()
    if kind == "generator":
        return generator_beside_bare(X, y)
    model = ESTIMATORS[kind](**ONE_EPOCH | {"max_epochs": EPOCHS})
    fit = partial(model.fit, X, y)
    fit()
    return fit, bare_loop(model, X, y)


def bare_loop(model, X, y):
    """Forward, backward and the optimiser's step of the trained modules.

    The fuser's gradients are clipped, which is part of its method.
    """
    net, table = model.net_, read_conversations(clone(model), X, reset=True)
    target = None if model.classes_ is None else np.searchsorted(model.classes_, y)
    clipped = isinstance(model, DJVAEFuser)
    if clipped:
        dataset = rows_of(table, target=target)
    else:
        dataset = DialogueDataset(table, table.sequences(), target)
    batches = list(DialogueLoader(dataset, net.batch_size, shuffle=True))

    def run():
        net.module_.train()
        for inputs, answer in EPOCHS * batches:
            net.optimizer_.zero_grad()
            net.criterion_(net.module_(**inputs), answer).backward()
            if clipped:
                torch.nn.utils.clip_grad_norm_(net.module_.parameters(), 1.0)
            net.optimizer_.step()

    return run


def generator_beside_bare(X, y):
    """The same for the generator, whose steps are those of its two players."""
    steps = {"n_steps": EPOCHS * len(X) // 64, "sampling_strategy": "mean"}
    sampler = MultimodalGANSampler(**steps, device="cpu", random_state=0)
    sampler.fit_resample(X, y)
    gan, classes = sampler.gan_, np.unique(y)
    features = X.filter(regex="^(text|audio|visual)__").to_numpy(np.float32)
    known = torch.from_numpy((features - features.mean(0)) / features.std(0))
    label = torch.from_numpy(np.searchsorted(classes, y))
    utterances = Utterances(known, torch.ones(len(X), 3), label)
    source = ClassBalancedBatches(
        utterances, torch.arange(len(classes)), sampler.batch_size
    )
    batches = [source.draw(gan) for _ in range(sampler.n_steps)]
    names = ("adversarial", "cycle_weight", "identity_weight", "classification_weight")
    weights = Weights(*(getattr(sampler, n) for n in (*names, "diversity")))
    game = Game(gan, weights, sampler.lr)

    def run():
        gan.train()
        for batch in batches:
            fakes = make_fakes(gan, batch)
            game.discriminate(batch, fakes)
            game.generate(batch, fakes)

    return partial(sampler.fit_resample, X, y), run


WORKS = {
    work.__name__: work
    for work in (released_epoch, graph_epoch, epoch, pipeline, reading, graph, answers)
} | {"beside_bare": beside_bare}


def measure(job):
    """Time a work, and the bare loop where it has one."""
    torch.set_num_threads(job["threads"])
    prepared = WORKS[job["work"]](**job["arguments"])
    call, *bare = prepared if isinstance(prepared, tuple) else (prepared,)
    before = forget_peak()
    rounds, beside = [seconds(call)], []
    found = {"peak_mb": peak_memory(), "grown_mb": highest() - before}
    for loop in bare:
        # In turns, since a machine may be slower now than it was.
        for _ in range(ROUNDS):
            beside.append(seconds(loop))
            rounds.append(seconds(call))
        found["bare_s"] = np.min(beside, axis=0)[0]
    while sum(wall for _, wall in rounds) < LONG_ENOUGH and len(rounds) < REPEATS:
        rounds.append(seconds(call))
    found["cpu_s"], found["wall_s"] = np.min(rounds, axis=0)
    return {name: float(value) for name, value in found.items()}


def seconds(call):
    """CPU seconds and seconds by the clock that a call takes."""
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - cpu, time.perf_counter() - wall


def growth(call, *arguments):
    """MB by which the process grows at most while a function runs."""
    before = forget_peak()
    call(*arguments)
    return highest() - before


def forget_peak():
    """Let the peak of memory begin anew, and tell what is in use; NaN outside Linux."""
    with suppress(AttributeError, OSError):
        # What earlier calls freed goes back first, or the next would take it unseen.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return memory("VmRSS")
    return float("nan")


def highest():
    """MB at the peak since then."""
    with suppress(OSError):
        return memory("VmHWM")
    return float("nan")


def memory(name):
    """A line of what Linux tells of this process, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(each.split()[1] for each in lines if each.startswith(name))) / 1024


if __name__ == "__main__":
    print(json.dumps(measure(json.load(sys.stdin))))
