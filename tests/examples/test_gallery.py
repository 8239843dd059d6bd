"""The examples run: that of README.md as a user runs it, others for a few passes."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_quickstart_as_it_is(run, pytestconfig, tmp_path):
    output = run(pytestconfig.rootpath / "examples" / "plot_quickstart.py")
    assert "weighted F1" in output
    assert (tmp_path / "skmerc_quickstart.png").stat().st_size > 10_000


def test_quickstart_on_a_file(example, table_file):
    arguments = ["--data", table_file, "--modalities", "text", "audio"]
    assert "training and" in example("plot_quickstart.py", *arguments)


def test_joyful_without_arguments_and_on_a_file(example, table_file, tmp_path):
    output = example("plot_joyful.py")
    assert "without looking ahead" in output
    assert "(context)" in output
    assert (tmp_path / "skmerc_joyful.png").stat().st_size > 10_000
    arguments = ["--data", table_file, "--modalities", "text", "audio"]
    example("plot_joyful.py", *arguments, "--output", "file.png")
    assert (tmp_path / "file.png").stat().st_size > 10_000


def test_raw_text_becomes_emotions(example, minilm, tmp_path):
    said = ["Ann: I am so happy for you!", "Ben: My dog died."]
    output = example("plot_raw_to_emotion.py", "--model", minilm, "--say", *said)
    assert "70 utterances of unseen dialogues" in output
    emotions = {"joy", "surprise", "neutral", "sadness", "anger"}
    for text in ("I am so happy for you!", "My dog died."):
        (answer,) = [line for line in output.splitlines() if text in line]
        assert answer.split()[-1] in emotions
    assert (tmp_path / "skmerc_raw_to_emotion.png").stat().st_size > 10_000


def test_raw_text_of_meld_becomes_emotions(example, minilm, meld_folder):
    arguments = ["--model", minilm, "--data", meld_folder, "--output", "meld.png"]
    assert "9 utterances of unseen" in example("plot_raw_to_emotion.py", *arguments)
    assert (meld_folder / "meld.png").stat().st_size > 10_000


def test_the_picture_of_gan_convergence(example, tmp_path):
    arguments = ["--steps", "5", "10", "--output", "gan.png"]
    output = example("plot_gan_convergence.py", *arguments)
    assert output.count("two_sample_auc") == 2
    assert (tmp_path / "gan.png").stat().st_size > 10_000


def test_settings_are_searched_and_the_search_goes_on(example, tmp_path):
    arguments = ["--trials", "2", "--storage", "sqlite:///study.db", "--output", "all"]
    assert "of 2 trials were pruned" in example("plot_tuning.py", *arguments)
    output = example("plot_tuning.py", *arguments)
    assert "of 4 trials were pruned" in output
    assert "tuned: weighted F1" in output
    for name in ("history", "importances", "slices"):
        assert (tmp_path / f"all_{name}.png").stat().st_size > 10_000
