"""The main job from the installed package."""

from skmerc.demo import main


def test_the_demo_prints_scores_of_the_three_steps_beside_baselines(capsys):
    assert main(["--quick", "--dialogues", "16"]) == 0
    told = capsys.readouterr().out
    assert told.count("weighted F1") == 3
    for name in ("most frequent", "logistic regression", "CBERL, three steps"):
        assert f"\n{name}\n" in told
