"""The script behind a table of the documentation runs."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_coverage_of_sets_is_told_for_all_and_for_each_emotion(example, table_file):
    arguments = ["--data", table_file, "--modalities", "text", "--alpha", "0.3"]
    rows = example("conformal_coverage.py", *arguments).splitlines()[2:]
    starts = [row.rpartition(" | ")[0].split(" | ")[:2] for row in rows]
    assert starts == [["| 0.70", "all utterances"], ["| 0.70", "each emotion"]]
