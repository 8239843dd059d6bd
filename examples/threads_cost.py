"""Seconds of a fit with one thread and with those of torch, as docs/scaling.rst tells.

With --busy a process computes on every core beside it, as on a machine that is shared.
"""

import argparse
import multiprocessing
import os
import time
from contextlib import contextmanager

import torch

from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc._utils import threads
from skmerc.datasets import make_conversations

MODELS = [
    *(("classifier", CBERLClassifier(max_epochs=1, hidden_size=h)) for h in (64, 256)),
    *(
        ("JOYFUL", JoyfulClassifier(max_epochs=1, hidden_size=h, fusion_size=h))
        for h in (128, 512)
    ),
    ("fuser", DJVAEFuser(max_epochs=2)),
    ("sampler", MultimodalGANSampler(n_steps=60)),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--busy", action="store_true", help="keep every core busy")
    parser.add_argument("--models", nargs="*", help="names of some (default: all)")
    arguments = parser.parse_args()
    X, y = make_conversations(20, modalities={"text": 384, "audio": 47}, random_state=0)
    print("model         weights   one thread  as torch   times as long")
    with company(os.cpu_count() if arguments.busy else 0):
        for name, model in MODELS:
            if arguments.models and name not in arguments.models:
                continue
            one, several = (seconds(model, X, y, few) for few in (2**60, 0))
            print(
                f"{name:10s} {n_weights(model):10,d} {one:10.2f} s {several:8.2f} s"
                f" {several / one:11.2f}",
                flush=True,
            )
    print(f"torch has {torch.get_num_threads()} threads")


def seconds(model, X, y, few):
    """Least time of two fits where networks up to `few` weights have one thread."""
    threads._FEW_WEIGHTS, taken = few, []
    for _ in range(2):
        start = time.perf_counter()
        getattr(model, "fit_resample", model.fit)(X, y)
        taken.append(time.perf_counter() - start)
    return min(taken)


def n_weights(model):
    network = model.gan_ if hasattr(model, "gan_") else model.net_.module_
    return sum(weights.numel() for weights in network.parameters())


@contextmanager
def company(n_processes):
    """Let processes compute meanwhile."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=compute) for _ in range(n_processes)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()


def compute():
    while True:
        pass


if __name__ == "__main__":
    main()
