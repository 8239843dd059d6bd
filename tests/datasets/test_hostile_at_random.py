"""Two hundred hostile files for each reader: all are read, or refused in clear words.

Twenty a reader are tried, and 200 where SKMERC_HOSTILE says so. They are read
in a process of their own, which has two gigabytes and a minute for each.
"""

import os
from collections import Counter

import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow: skmerc[parquet]")
pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")
pytest.importorskip("safetensors", reason="needs safetensors: skmerc[persistence]")
pytest.importorskip("resource", reason="needs limits of memory, which POSIX has")

from hostile import READERS, Worker, make  # noqa: E402

N_FILES = int(os.environ.get("SKMERC_HOSTILE", 20))


@pytest.mark.slow
@pytest.mark.timeout(60 * N_FILES + 600)
@pytest.mark.parametrize("reader", READERS)
def test_hostile_files_are_read_or_refused(reader, tmp_path, record_property):
    wrong, counts = [], Counter()
    with Worker(reader) as worker:
        for seed in range(N_FILES):
            folder = tmp_path / str(seed)
            folder.mkdir()
            path, harm = make(reader, seed, folder)
            outcome = worker.try_to_read(path)
            counts[outcome.partition(":")[0].split()[0]] += 1
            if not outcome.startswith(("read", "refused")):
                wrong.append(f"seed {seed}, {harm}: {outcome}")
    for outcome, count in counts.items():
        record_property(outcome, count)
    print(reader, dict(counts))
    assert not wrong, "\n".join(wrong)
