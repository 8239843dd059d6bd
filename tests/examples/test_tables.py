"""The scripts behind the tables of the documentation run, for a few passes."""

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_depth_is_drawn_with_and_without_contrast(example, table_file, tmp_path):
    arguments = ["--data", table_file, "--modalities", "text", "--seeds", "1"]
    rows = example("depth.py", *arguments, "--picture", "depth.png").splitlines()
    assert len(rows) == 2 + 2 * 4
    assert (tmp_path / "depth.png").stat().st_size > 5_000


def test_scores_are_tabled_beside_two_floors(example, table_file):
    arguments = ["--data", table_file, "--modalities", "text", "--seeds", "2"]
    _, _, *rows = example("scores_table.py", *arguments).splitlines()
    names = [row.split(" | ")[0] for row in rows]
    assert names == ["| median", "| ridge regression", "| JOYFUL"]


def test_results_table_prints_markdown(example, table_file):
    models = ["logistic regression", "Bi-GRU", "five JOYFULs", "CBERL, three steps"]
    arguments = ["--data", table_file, "--modalities", "text", "audio"]
    arguments += ["--minority", "anger", "--seeds", "2", "--models", *models]
    rows = example("results_table.py", *arguments).splitlines()
    assert [row.split(" | ")[0] for row in rows] == [
        f"| {name}" for name in (*models, "model")
    ]
    assert len({row.count("|") for row in rows[2:]}) == 1


def test_rivals_for_rare_emotions_are_rows(example, table_file):
    models = [
        f"{kind}, {rival}"
        for kind in ("classifier", "JOYFUL")
        for rival in ("class weights", "effective number", "logit adjustment")
    ]
    models.append("JOYFUL, supervised contrast")
    arguments = ["--data", table_file, "--modalities", "text", "--seeds", "1"]
    rows = example("results_table.py", *arguments, "--models", *models).splitlines()
    assert [row.split(" | ")[0] for row in rows[:-1]] == [
        f"| {name}" for name in models
    ]


def test_settings_are_compared_on_folds_of_training_dialogues(example, table_file):
    models = ["most frequent", "logistic regression"]
    arguments = ["--data", table_file, "--modalities", "text", "--folds", "3"]
    output = example("results_table.py", *arguments, "--models", *models)
    assert "±" in output


def test_models_learn_from_few_dialogues(example, table_file):
    models = ["most frequent", "logistic regression"]
    arguments = ["--data", table_file, "--modalities", "text", "--dialogues", "5"]
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


def test_coverage_of_sets_is_told_for_all_and_for_each_emotion(example, table_file):
    arguments = ["--data", table_file, "--modalities", "text", "--alpha", "0.3"]
    rows = example("conformal_coverage.py", *arguments).splitlines()[2:]
    starts = [row.rpartition(" | ")[0].split(" | ")[:2] for row in rows]
    assert starts == [["| 0.70", "all utterances"], ["| 0.70", "each emotion"]]


def test_text_scores_of_annotations_and_of_a_table_with_sentences(
    example, meld_folder, table_file, minilm, tmp_path
):
    models = [
        "embedding, logistic regression",
        "Bi-GRU",
        "fine-tuned, logistic regression",
        "fine-tuned, JOYFUL, class weights",
    ]
    shared = ["--model", minilm, "--seeds", "2", "--epochs", "1", "--models", *models]
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
        "--modalities", "audio", "--minority", "anger", "--cv", "0", *shared,
        "--context-future", "0", "--speakers",
    ).splitlines()[2:]  # fmt: skip
    # Sentences that name the emotion of their own row leave nothing to get wrong.
    assert rows[0].startswith("| embedding, logistic regression | 100.0 | 100.0 |")
