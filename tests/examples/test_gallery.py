"""The examples run: that of README.md as a user runs it, others for a few passes."""

import shutil

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_quickstart_as_it_is(run, pytestconfig, tmp_path):
    output = run(pytestconfig.rootpath / "examples" / "plot_quickstart.py")
    assert "weighted F1" in output
    assert (tmp_path / "skmerc_quickstart.png").stat().st_size > 10_000


def test_quickstart_on_a_file(example, table_file):
    settings = {"DATA": str(table_file), "MODALITIES": ["text", "audio"]}
    assert "training and" in example("plot_quickstart.py", **settings)


def test_joyful_on_a_file(example, table_file, tmp_path):
    settings = {"DATA": str(table_file), "MODALITIES": ["text", "audio"]}
    output = example("plot_joyful.py", **settings)
    assert "without looking ahead" in output
    assert "(context)" in output
    assert (tmp_path / "skmerc_joyful.png").stat().st_size > 10_000


def test_raw_text_becomes_emotions(example, minilm, tmp_path):
    said = ["Ann: I am so happy for you!", "Ben: My dog died."]
    output = example("plot_raw_to_emotion.py", MODEL=str(minilm), SAID=said)
    assert "70 utterances of unseen dialogues" in output
    emotions = {"joy", "surprise", "neutral", "sadness", "anger"}
    for text in ("I am so happy for you!", "My dog died."):
        (answer,) = [line for line in output.splitlines() if text in line]
        assert answer.split()[-1] in emotions
    assert (tmp_path / "skmerc_raw_to_emotion.png").stat().st_size > 10_000


def test_raw_text_of_meld_becomes_emotions(example, minilm, meld_folder):
    settings = {"MODEL": str(minilm), "DATA": str(meld_folder)}
    output = example("plot_raw_to_emotion.py", **settings)
    assert "9 utterances of unseen" in output
    assert (meld_folder / "skmerc_raw_to_emotion.png").stat().st_size > 10_000


def test_the_picture_of_gan_convergence(example, tmp_path):
    output = example("plot_gan_convergence.py", STEPS=[5, 10])
    assert output.count("two_sample_auc") == 2
    assert (tmp_path / "skmerc_gan_convergence.png").stat().st_size > 10_000


def test_settings_are_searched_and_the_search_goes_on(example, tmp_path):
    settings = {"N_TRIALS": 2, "STORAGE": "sqlite:///study.db"}
    assert "of 2 trials were pruned" in example("plot_tuning.py", **settings)
    output = example("plot_tuning.py", **settings)
    assert "of 4 trials were pruned" in output
    assert "tuned: weighted F1" in output
    for name in ("history", "importances", "slices"):
        picture = tmp_path / f"skmerc_tuning_{name}.png"
        assert picture.stat().st_size > 10_000


def test_notebooks_of_the_gallery_run_as_notebooks(
    example, minilm, pytestconfig, tmp_path
):
    converter = pytest.importorskip("sphinx_gallery.notebook")
    for script in pytestconfig.rootpath.glob("examples/plot_*.py"):
        converter.python_to_jupyter_cli([shutil.copy(script, tmp_path)])
    notebooks = sorted(tmp_path.glob("*.ipynb"))
    assert notebooks
    example(*notebooks, MODEL=str(minilm), STEPS=[5, 10], N_TRIALS=2)
