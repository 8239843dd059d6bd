import errno
import os
import sqlite3
import stat
import threading
from contextlib import closing

import numpy as np
import pytest
from tqdm import tqdm

from skmerc.features._cache import MemoryCache, compute_once, open_cache

WANTED = {bytes([letter]): chr(letter) for letter in b"abcdefg"}


def vector(text):
    return np.array([ord(text), 0.5], np.float32)


class Computer:
    """Computes vectors and remembers of what."""

    def __init__(self):
        self.seen = []

    def __call__(self, texts):
        self.seen += texts
        return np.stack([vector(text) for text in texts])


def look_up(cache, compute, wanted=WANTED, n_at_once=3):
    with tqdm(total=len(wanted), disable=True) as bar:
        return compute_once(cache, wanted, compute, n_at_once=n_at_once, progress=bar)


@pytest.fixture(params=["memory", "folder"])
def place(request, tmp_path, monkeypatch):
    """A cache that stays between calls."""
    monkeypatch.setattr("skmerc.features._cache.PROCESS_CACHE", MemoryCache())
    return "process" if request.param == "memory" else tmp_path / "new" / "cache"


def test_what_was_computed_is_not_computed_again(place):
    compute = Computer()
    for wanted in ({b"c": "c"}, WANTED, WANTED):
        with open_cache(place) as cache:
            found = look_up(cache, compute, wanted)
        assert set(found) == set(wanted)
        for key, text in wanted.items():
            np.testing.assert_array_equal(found[key], vector(text))
            assert found[key].dtype == np.float32
    assert sorted(compute.seen) == sorted(WANTED.values())


def test_without_a_cache_nothing_stays():
    compute = Computer()
    for _ in range(2):
        with open_cache(None) as cache:
            look_up(cache, compute)
    assert compute.seen == 2 * list(WANTED.values())


def test_what_is_done_before_a_failure_stays(place):
    def fail_at_d(texts):
        if "d" in texts:
            raise RuntimeError("out of memory")
        return Computer()(texts)

    with pytest.raises(RuntimeError, match="out of memory"), open_cache(place) as cache:
        look_up(cache, fail_at_d)
    compute = Computer()
    with open_cache(place) as cache:
        look_up(cache, compute)
    assert compute.seen == ["d", "e", "f", "g"]


def test_threads_compute_each_vector_once(place):
    compute = Computer()
    start = threading.Barrier(4)

    def work():
        start.wait()
        with open_cache(place) as cache:
            look_up(cache, compute, n_at_once=1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(compute.seen) == sorted(WANTED.values())


def test_memory_drops_what_was_not_used_for_longest():
    cache = MemoryCache(max_bytes=2 * vector("a").nbytes)
    cache.write({b"a": vector("a"), b"b": vector("b")})
    cache.read([b"a"])
    cache.write({b"c": vector("c")})
    assert set(cache.read([b"a", b"b", b"c"])) == {b"a", b"c"}


def test_more_than_the_memory_holds_is_still_returned():
    cache = MemoryCache(max_bytes=vector("a").nbytes)
    assert set(look_up(cache, Computer())) == set(WANTED)


def test_many_keys_are_read_at_once(tmp_path):
    keys = [number.to_bytes(4, "big") for number in range(1200)]
    with open_cache(tmp_path) as cache:
        with cache.exclusive():
            cache.write({key: vector("a") for key in keys})
        assert set(cache.read(keys)) == set(keys)


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    place = tmp_path / "notes.txt"
    place.write_text("x")
    with pytest.raises(OSError, match=r"notes\.txt' is no folder"), open_cache(place):
        pass


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(
    number, tmp_path, monkeypatch
):
    def refuse(path, *rest):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "open", refuse)
    told = (
        rf"vectors\.sqlite' cannot be written \({os.strerror(number)}\)\. Give a fold"
    )
    with pytest.raises(OSError, match=told), open_cache(tmp_path):
        pass


def test_a_damaged_cache_is_named_with_what_to_do_and_closed(tmp_path, monkeypatch):
    connect, opened = sqlite3.connect, []
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **k: opened.append(connect(*a, **k)) or opened[0]
    )
    (tmp_path / "vectors.sqlite").write_bytes(b"no database" * 100)
    with (
        pytest.raises(OSError, match=r"vectors\.sqlite.*delete it"),
        open_cache(str(tmp_path)),
    ):
        pass
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


def test_a_folder_holds_one_database_and_no_leftovers(tmp_path):
    with open_cache(tmp_path) as cache:
        look_up(cache, Computer())
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.sqlite"]
    database = sqlite3.connect(tmp_path / "vectors.sqlite")
    assert database.execute("SELECT count(*) FROM vectors").fetchone() == (7,)
    database.close()


def of_the_size_of(n_numbers):
    return np.arange(n_numbers, dtype="<f4").tobytes()


@pytest.mark.parametrize(
    "value", [of_the_size_of(1), of_the_size_of(9), b"", "text", 3.5, None]
)
def test_a_vector_of_another_size_or_kind_is_told(tmp_path, value):
    with open_cache(tmp_path, 2) as cache:
        cache.write({b"good": vector("a")})
        assert len(cache.read([b"good"])[b"good"]) == len(vector("a")) == 2
    with closing(sqlite3.connect(tmp_path / "vectors.sqlite")) as database, database:
        database.execute("INSERT INTO vectors VALUES (?, ?)", (b"bad", value))
    with (
        pytest.raises(OSError, match=r"another size.*delete it"),
        open_cache(tmp_path, 2) as cache,
    ):
        cache.read([b"good", b"bad"])


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE VIEW vectors AS WITH RECURSIVE n(key) AS (SELECT 1 UNION ALL SELECT "
        "key + 1 FROM n) SELECT key, zeroblob(16) AS vector FROM n",
        "CREATE TABLE vectors (key BLOB, vector BLOB AS (zeroblob(900000000)))",
        "CREATE TABLE vectors (key BLOB PRIMARY KEY, vector TEXT)",
        "CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB); "
        "CREATE TRIGGER t AFTER INSERT ON vectors BEGIN DELETE FROM vectors; END",
        "CREATE TABLE other (key BLOB)",
    ],
)
def test_a_database_of_another_kind_is_told(tmp_path, schema):
    with closing(sqlite3.connect(tmp_path / "vectors.sqlite")) as database:
        database.executescript(schema)
    with pytest.raises(OSError, match=r"vectors\.sqlite"), open_cache(tmp_path, 2):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_told(tmp_path):
    os.mkfifo(tmp_path / "vectors.sqlite")
    with pytest.raises(OSError, match="is no file"), open_cache(tmp_path):
        pass


@pytest.mark.skipif(os.name == "nt", reason="needs permissions of POSIX")
def test_only_the_owner_can_read_what_is_made(tmp_path):
    with open_cache(tmp_path / "cache") as cache:
        look_up(cache, Computer())
    for path, allowed in (("cache", 0o700), ("cache/vectors.sqlite", 0o600)):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == allowed
