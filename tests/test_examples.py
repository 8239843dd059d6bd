"""The examples run as a user runs them."""

import subprocess
import sys

import numpy as np
import pandas as pd
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


def run(root, tmp_path, *arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"MPLBACKEND": "agg", "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    ).stdout


@pytest.fixture
def example(pytestconfig, tmp_path):
    """Run a script of the examples in an empty folder and return what it prints."""

    def start(script, *arguments):
        path = pytestconfig.rootpath / "examples" / script
        return run(pytestconfig.rootpath, tmp_path, path, *arguments)

    return start


def test_quickstart_without_arguments(example, tmp_path):
    assert "weighted F1" in example("plot_quickstart.py")
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
    said = ["Ann: I am so happy for you!", "Ben: My dog died.", "Ann: Oh no."]
    output = example("plot_raw_to_emotion.py", "--model", minilm, "--say", *said)
    assert "70 utterances of unseen dialogues" in output
    (happy,) = [line for line in output.splitlines() if "happy for you" in line]
    assert happy.endswith("joy")
    assert (tmp_path / "skmerc_raw_to_emotion.png").stat().st_size > 10_000


def test_raw_text_of_meld_becomes_emotions(example, minilm, meld_folder):
    arguments = ["--model", minilm, "--data", meld_folder, "--output", "meld.png"]
    assert "9 utterances of unseen" in example("plot_raw_to_emotion.py", *arguments)
    assert (meld_folder / "meld.png").stat().st_size > 10_000


def test_depth_is_drawn_with_and_without_contrast(example, table_file, tmp_path):
    arguments = ["--data", table_file, "--modalities", "text", "--seeds", "2"]
    rows = example("depth.py", *arguments, "--picture", "depth.png").splitlines()
    assert len(rows) == 2 + 2 * 4
    assert (tmp_path / "depth.png").stat().st_size > 5_000


def test_scores_are_tabled_beside_two_floors(example, table_file):
    arguments = ["--data", table_file, "--modalities", "text", "--seeds", "2"]
    _, _, *rows = example("scores_table.py", *arguments).splitlines()
    names = [row.split(" | ")[0] for row in rows]
    assert names == ["| median", "| ridge regression", "| JOYFUL"]


def test_the_picture_of_gan_convergence(example, tmp_path):
    output = example("plot_gan_convergence.py", "--output", "gan.png")
    assert output.count("two_sample_auc") == 2
    assert (tmp_path / "gan.png").stat().st_size > 10_000


def test_settings_are_searched_and_the_search_goes_on(example, tmp_path):
    arguments = ["--trials", "3", "--storage", "sqlite:///study.db", "--output", "all"]
    assert "of 3 trials were pruned" in example("plot_tuning.py", *arguments)
    output = example("plot_tuning.py", *arguments)
    assert "of 6 trials were pruned" in output
    assert "tuned: weighted F1" in output
    for name in ("history", "importances", "slices"):
        assert (tmp_path / f"all_{name}.png").stat().st_size > 10_000


def test_results_table_prints_markdown(example, table_file):
    models = ["logistic regression", "Bi-GRU", "CBERL, three steps"]
    arguments = ["--data", table_file, "--modalities", "text", "audio"]
    arguments += ["--minority", "anger", "--seeds", "2", "--models", *models]
    rows = example("results_table.py", *arguments).splitlines()
    assert [row.split(" | ")[0] for row in rows] == [
        f"| {name}" for name in (*models, "model")
    ]
    assert len({row.count("|") for row in rows[2:]}) == 1


def test_settings_are_compared_on_folds_of_training_dialogues(example, table_file):
    models = ["most frequent", "logistic regression"]
    arguments = ["--data", table_file, "--modalities", "text", "--folds", "3"]
    output = example("results_table.py", *arguments, "--models", *models)
    assert "±" in output


def test_ablations_draw_what_each_part_brings(example, table_file, tmp_path):
    models = ["whole", "no augmentation", "plain VAE"]
    arguments = ["--data", table_file, "--modalities", "text", "audio", "--seeds", "2"]
    arguments += ["--models", *models, "--picture", "parts.png"]
    assert "plain VAE" in example("ablations.py", *arguments)
    assert (tmp_path / "parts.png").stat().st_size > 5_000


def test_quality_of_samples_is_told_per_class_and_sampler(example, table_file):
    arguments = ["--data", table_file, "--modalities", "text", "audio"]
    output = example(
        "sample_quality.py", *arguments, "--labels", "anger", "--seeds", "1"
    )
    assert output.count("| anger |") == 5


def test_text_scores_of_annotations_and_of_a_table_with_sentences(
    example, meld_folder, table_file, minilm, tmp_path
):
    models = ["embedding, logistic regression", "Bi-GRU", "fine-tuned, Bi-GRU"]
    shared = ["--model", minilm, "--seeds", "2", "--models", *models]
    output = example("text_scores.py", "--data", meld_folder, *shared)
    assert [line.split(" | ")[0] for line in output.splitlines()[2:]] == [
        f"| {name}" for name in (*models, "model")
    ]
    with np.load(table_file) as table:
        said = [f"I feel {name}" for name in table["label_names"][table["label"]]]
        pd.DataFrame(
            {"dialogue": table["dialogue"], "turn": table["turn"], "sentence": said}
        ).to_csv(tmp_path / "said.csv", index=False)
    rows = example(
        "text_scores.py", "--data", table_file, "--sentences", tmp_path / "said.csv",
        "--modalities", "audio", "--minority", "anger", *shared,
    ).splitlines()[2:]  # fmt: skip
    scores = [float(row.split(" | ")[1].split(" ")[0]) for row in rows[:-1]]
    assert min(scores) > 90
