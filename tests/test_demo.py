"""The main job from the installed package."""

import os
import subprocess
import sys

import pytest

from skmerc.demo import main


def test_the_demo_prints_scores_of_the_three_steps_beside_baselines(capsys):
    assert main(["--quick", "--dialogues", "16"]) == 0
    told = capsys.readouterr().out
    assert told.count("weighted F1") == 3
    for name in ("most frequent", "logistic regression", "CBERL, three steps"):
        assert f"\n{name}\n" in told


def test_a_reader_who_has_seen_enough_breaks_nothing():
    demo = [sys.executable, "-m", "skmerc.demo", "--quick", "--dialogues", "8"]
    process = subprocess.Popen(
        demo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert "BrokenPipe" not in told
    assert "Traceback" not in told


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_a_full_disk_is_told_without_a_traceback():
    demo = [sys.executable, "-m", "skmerc.demo", "--quick", "--dialogues", "8"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(demo, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


def test_without_an_output_nothing_is_printed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["--quick", "--dialogues", "8"]) == 0


def test_too_few_dialogues_are_told_without_a_traceback(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--dialogues", "1"])
    assert end.value.code == 2
    assert "give at least 8" in capsys.readouterr().err
    assert main(["--quick", "--dialogues", "8"]) == 0
