"""Small corpora, and a way to run a script on them as a user does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skmerc.datasets import make_conversations

QUICKLY = Path(__file__).with_name("quickly.py")


@pytest.fixture
def table_file(tmp_path):
    X, y = make_conversations(24, n_turns=(4, 8), random_state=0)
    classes, label = np.unique(y, return_inverse=True)
    number = X["dialogue__id"].str.removeprefix("dia").astype(int).to_numpy()
    split = np.select([number < 12, number < 16], ["train", "dev"], "test")
    path = tmp_path / "calls.npz"
    np.savez(
        path,
        text=X.filter(like="text__").to_numpy(),
        audio=X.filter(like="audio__").to_numpy(),
        label=label,
        label_names=classes,
        score=X["text__0"].to_numpy(),
        dialogue=X["dialogue__id"].to_numpy(dtype=str),
        turn=X["dialogue__turn"].to_numpy(),
        speaker=X["dialogue__speaker"].to_numpy(dtype=str),
        split=split,
    )
    return path


@pytest.fixture
def meld_folder(tmp_path):
    """Annotations in the form of MELD's; numbers of dialogues begin anew in each."""
    said = {"joy": "I love this!", "anger": "Get out!", "neutral": "It is noon."}
    for split, n_dialogues in {"train": 8, "dev": 3, "test": 3}.items():
        rows = [
            {
                "Sr No.": 3 * dialogue + turn,
                "Utterance": f"{text} {dialogue}",
                "Speaker": "Ann" if turn % 2 else "Ben",
                "Emotion": emotion,
                "Sentiment": "neutral",
                "Dialogue_ID": dialogue,
                "Utterance_ID": turn,
                "Season": 1,
                "Episode": 1,
                "StartTime": f"00:0{dialogue}:0{turn},000",
                "EndTime": f"00:0{dialogue}:0{turn + 1},000",
            }
            for dialogue in range(n_dialogues)
            for turn, (emotion, text) in enumerate(said.items())
        ]
        pd.DataFrame(rows).to_csv(tmp_path / f"{split}_sent_emo.csv", index=False)
    return tmp_path


@pytest.fixture
def run(pytestconfig, tmp_path):
    """Run a program in an empty folder as a user does, and return what it prints."""

    def start(*command):
        settings = {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            env=settings | {"PYTHONPATH": str(pytestconfig.rootpath)},
        ).stdout

    return start


@pytest.fixture
def example(run, pytestconfig):
    """Run an example for a few passes, and return what it prints.

    Constants of a script of the gallery are given by name.
    """
    folder = pytestconfig.rootpath / "examples"

    def start(script, *arguments, **constants):
        constants = [f"{name}={value!r}" for name, value in constants.items()]
        return run(QUICKLY, folder / script, *constants, *arguments)

    return start
