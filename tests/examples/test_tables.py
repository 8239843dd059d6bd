"""The script behind the table of texts in the documentation runs, for a few passes."""

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


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
