"""Vectors that are computed once, kept in memory or in a folder."""

import math
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from skmerc._utils.files import as_path
from skmerc._utils.locks import Turn
from skmerc._utils.types import FilePath

_FILE = "vectors.sqlite"
_OTHERWISE = "Give a folder that can be written, or cache='process' or None."
_SECONDS_TO_WAIT = 3600
_KEYS_PER_QUERY = 500
_TABLE = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB)"


class MemoryCache:
    """Vectors in memory; beyond `max_bytes` the least recently used are dropped."""

    def __init__(self, max_bytes: float = math.inf) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._vectors: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = Turn()

    def exclusive(self) -> AbstractContextManager:
        """Keep other threads out of a block."""
        return self._lock

    def read(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """Return those of the vectors that are here, by key."""
        with self._lock:
            found = {key: self._vectors[key] for key in keys if key in self._vectors}
            for key in found:
                self._vectors.move_to_end(key)
        return found

    def write(self, vectors: dict[bytes, np.ndarray]) -> None:
        """Keep new vectors, given by key."""
        with self._lock:
            for key, vector in vectors.items():
                self._vectors[key] = vector.copy()  # not a view of its whole batch
                self._n_bytes += vector.nbytes
            while self._n_bytes > self._max_bytes:
                _, oldest = self._vectors.popitem(last=False)
                self._n_bytes -= oldest.nbytes


class FolderCache:
    """Vectors in a database in a folder, which processes may share.

    The database holds one table, and vectors of `n_features` numbers, or of any number.
    """

    def __init__(
        self, database: sqlite3.Connection, n_features: int | None = None
    ) -> None:
        self._database = database
        self._size = "" if n_features is None else f" = {4 * n_features}"
        self._database.execute(_TABLE)
        found = self._database.execute("SELECT name, sql FROM sqlite_master").fetchall()
        told = {sql for name, sql in found if not name.startswith("sqlite_autoindex")}
        if told != {_TABLE.replace("IF NOT EXISTS ", "")}:
            raise sqlite3.DatabaseError("it holds something else than vectors")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other writers out of a block, all of whose writing counts or none."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            yield

    def read(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """Return those of the vectors that are here, by key."""
        found: dict[bytes, np.ndarray] = {}
        keys = list(keys)
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            found |= self._read(keys[start : start + _KEYS_PER_QUERY])
        return found

    def _read(self, keys: list[bytes]) -> dict[bytes, np.ndarray]:
        marks = ", ".join("?" * len(keys))
        whole = f"typeof(vector) = 'blob' AND length(vector){self._size}"
        query = f"SELECT key, {whole}, CASE WHEN {whole} THEN vector END FROM vectors"
        rows = self._database.execute(f"{query} WHERE key IN ({marks})", keys)
        found = {}
        for key, is_whole, blob in rows:
            if not is_whole:
                raise sqlite3.DatabaseError("a vector in it has another size")
            found[key] = np.frombuffer(blob, "<f4")
        return found

    def write(self, vectors: dict[bytes, np.ndarray]) -> None:
        """Keep new vectors, given by key."""
        rows = (
            (key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()
        )
        self._database.executemany("INSERT INTO vectors VALUES (?, ?)", rows)


PROCESS_CACHE = MemoryCache(max_bytes=2**28)


@contextmanager
def open_cache(
    where: FilePath | None, n_features: int | None = None
) -> Iterator[MemoryCache | FolderCache]:
    """Open the cache ``"process"``, that of a folder, or an empty one for None."""
    if where is None:
        yield MemoryCache()
    elif where == "process":
        yield PROCESS_CACHE
    else:
        with _open_folder(as_path(where), n_features) as cache:
            yield cache


@contextmanager
def _open_folder(folder: Path, n_features: int | None) -> Iterator[FolderCache]:
    path = _make_file(folder)
    try:
        with closing(
            sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, isolation_level=None)
        ) as database:
            yield FolderCache(database, n_features)
    except sqlite3.Error as error:
        raise OSError(
            f"The cache {str(path)!r} cannot be used ({error}). If it is damaged, "
            "delete it: all that it holds can be computed again."
        ) from error


def _make_file(folder: Path) -> Path:
    """Make folder and file where they are not there, to be read by their owner only.

    Vectors tell much of the texts that they were computed from.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"cache={str(folder)!r} is no folder ({error.strerror}). {_OTHERWISE}"
        ) from error
    path = folder / _FILE
    if path.exists() and not path.is_file():
        raise OSError(f"The cache {str(path)!r} is no file; delete it.")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise OSError(
            f"The cache {str(path)!r} cannot be written ({error.strerror}). "
            f"{_OTHERWISE}"
        ) from error
    return path


def compute_once(
    cache: MemoryCache | FolderCache,
    wanted: dict[bytes, Any],
    compute: Callable[[list], np.ndarray],
    *,
    n_at_once: int,
    progress: Any,
) -> dict[bytes, np.ndarray]:
    """Look vectors up, and compute those that are missing: dict of key to vector.

    `wanted` has what each vector is computed from, by key, and `compute` gives the
    vectors of a list of these. So many `n_at_once` are computed before they are written
    and others may write.
    """
    found = cache.read(wanted)
    progress.update(len(found))
    missing = [key for key in wanted if key not in found]
    for start in range(0, len(missing), n_at_once):
        part = missing[start : start + n_at_once]
        with cache.exclusive():
            found |= cache.read(part)  # others may have been at it meanwhile
            new = [key for key in part if key not in found]
            if new:
                vectors = compute([wanted[key] for key in new])
                computed = dict(zip(new, vectors, strict=True))
                cache.write(computed)
                found |= computed
        progress.update(len(part))
    return found
