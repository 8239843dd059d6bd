"""The examples run as a user runs them."""

import subprocess
import sys

import numpy as np
import pytest

from skmerc.datasets import make_conversations

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def table_file(tmp_path):
    X, y = make_conversations(40, n_turns=(6, 10), random_state=0)
    classes, label = np.unique(y, return_inverse=True)
    number = X["dialogue__id"].str.removeprefix("dia").astype(int).to_numpy()
    split = np.select([number < 25, number < 30], ["train", "dev"], "test")
    path = tmp_path / "calls.npz"
    np.savez(
        path,
        text=X.filter(like="text__").to_numpy(),
        audio=X.filter(like="audio__").to_numpy(),
        label=label,
        label_names=classes,
        dialogue=X["dialogue__id"].to_numpy(dtype=str),
        turn=X["dialogue__turn"].to_numpy(),
        speaker=X["dialogue__speaker"].to_numpy(dtype=str),
        split=split,
    )
    return path


def run(root, tmp_path, *arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"MPLBACKEND": "agg", "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    ).stdout


def test_quickstart_without_arguments(pytestconfig, tmp_path):
    script = pytestconfig.rootpath / "examples" / "plot_quickstart.py"
    output = run(pytestconfig.rootpath, tmp_path, script)
    assert "weighted F1" in output
    assert (tmp_path / "skmerc_quickstart.png").stat().st_size > 10_000


def test_quickstart_on_a_file(pytestconfig, tmp_path, table_file):
    script = pytestconfig.rootpath / "examples" / "plot_quickstart.py"
    arguments = ["--data", table_file, "--modalities", "text", "audio"]
    output = run(pytestconfig.rootpath, tmp_path, script, *arguments)
    assert "training and" in output


def test_results_table_prints_markdown(pytestconfig, tmp_path, table_file):
    script = pytestconfig.rootpath / "examples" / "results_table.py"
    arguments = ["--data", table_file, "--modalities", "text", "--seeds", "2"]
    output = run(pytestconfig.rootpath, tmp_path, script, *arguments)
    assert output.count("\n| ") >= 5
    assert "±" in output
