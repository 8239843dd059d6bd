"""Files that many write at once, and of which readers see whole ones only."""

import os
import re
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from skmerc import CBERLClassifier, datasets
from skmerc._utils import files
from skmerc._utils.files import as_path, write_atomically
from skmerc.datasets import (
    iter_table,
    load_subtitles,
    load_table,
    make_conversations,
    to_frame,
)
from skmerc.persistence import load_model, save_model

LARGE = 200_000

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
needs_links = pytest.mark.skipif(os.name == "nt", reason="links need a right there")


@pytest.fixture(params=["nameless", "named"])
def either_way(request, monkeypatch):
    """With files that have no name until they are whole, and where there are none."""
    if request.param == "named":
        monkeypatch.setattr(files, "_NAMELESS", None)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_readers_see_whole_files_while_threads_write_to_one_path(tmp_path, either_way):
    path, done = tmp_path / "model", threading.Event()
    contents = [bytes([letter]) * LARGE for letter in b"abcd"]
    write_atomically(path, contents[0])

    def read():
        seen = set()
        while not done.is_set():
            seen.add(path.read_bytes())
        return seen

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        writers = [
            pool.submit(lambda c: [write_atomically(path, c) for _ in range(10)], c)
            for c in contents
        ]
        try:
            for writer in writers:
                writer.result()
        finally:
            done.set()
    assert set.union(*(reader.result() for reader in readers)) <= set(contents)
    assert os.listdir(tmp_path) == ["model"]


@needs_fork
def test_processes_of_one_number_do_not_meet(tmp_path, monkeypatch, either_way):
    """As on two machines that share a folder."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    names = []
    replace = os.replace

    def seen(source, target):
        names.append(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", seen)
    for content in (b"one", b"other"):
        write_atomically(tmp_path / "model", content)
    assert len(set(names)) == 2


def test_permissions_are_those_of_a_plain_write(tmp_path, either_way):
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_bytes(b"1")
    write_atomically(ours, b"1")
    assert mode_of(ours) == mode_of(plain)
    for path in (plain, ours):
        path.chmod(0o640)
    plain.write_bytes(b"2")
    write_atomically(ours, b"2")
    assert mode_of(ours) == mode_of(plain)
    assert ours.read_bytes() == b"2"


@needs_links
def test_a_link_stays_and_its_file_is_written(tmp_path, either_way):
    folder, link = tmp_path / "far", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder / "model")
    for content in (b"1", b"2"):  # one that leads nowhere, and one that leads to a file
        write_atomically(link, content)
        assert link.is_symlink()
        assert (folder / "model").read_bytes() == content
    assert os.listdir(folder) == ["model"]


@needs_links
def test_a_link_is_replaced_if_so_told(tmp_path, either_way):
    far, link = tmp_path / "far", tmp_path / "link"
    far.write_bytes(b"of the user")
    link.symlink_to(far)
    write_atomically(link, b"1", follow=False)
    assert not link.is_symlink()
    assert link.read_bytes() == b"1"
    assert far.read_bytes() == b"of the user"


@needs_fork
def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        write_atomically(pipe, b"all of it")
        assert read.result() == b"all of it"
    assert pipe.is_fifo()


def test_long_names_are_written(tmp_path, either_way):
    path = tmp_path / ("\N{GRINNING FACE}" * 62)  # 248 bytes, where 255 are allowed
    write_atomically(path, b"1")
    assert path.read_bytes() == b"1"


def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, either_way
):
    path = tmp_path / "model"
    write_atomically(path, b"old")
    for place in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, place, _full)
            with pytest.raises(OSError, match="No space left"):
                write_atomically(path, b"new")
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["model"]


def _full(*args, **kwargs):
    raise OSError(28, "No space left on device")


def test_folders_and_absent_folders_are_refused_as_a_plain_write_does(tmp_path):
    for path in (tmp_path, tmp_path / "absent" / "model"):
        with pytest.raises(OSError, match=r"folder|directory|denied") as plain:
            path.write_bytes(b"1")
        with pytest.raises(type(plain.value)):
            write_atomically(path, b"1")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(files._NAMELESS is None, reason="needs files without names")
def test_a_process_that_is_killed_leaves_nothing(tmp_path):
    if not files._write_without_name(tmp_path / "trial", b"1", None):
        pytest.skip("this file system knows no files without names")
    (tmp_path / "trial").unlink()
    die = (
        "import os, signal, sys\n"
        "from skmerc._utils.files import write_atomically\n"
        "os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomically(sys.argv[1], b'1' * 1000)\n"
    )
    done = subprocess.run([sys.executable, "-c", die, str(tmp_path / "model")])
    assert done.returncode < 0
    assert os.listdir(tmp_path) == []


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    """As in pandas, wherever a path is given."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    X, y = make_conversations(6, n_turns=(3, 4), random_state=0)
    X.assign(label=y).to_csv(tmp_path / "calls.csv", index=False)
    assert load_table("~/calls.csv")[1].tolist() == y.tolist()
    assert sum(len(part) for part, _ in iter_table("~/calls.csv")) == len(X)
    said = pd.DataFrame({"dialogue": [1], "turn": [0], "text": ["Hello."]})
    said.to_csv(tmp_path / "said.csv", index=False)
    assert to_frame("~/said.csv")[0]["utterance"].tolist() == ["Hello."]
    (tmp_path / "call.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n")
    for path in ("~/call.srt", ["~/call.srt"]):
        assert load_subtitles(path)[0]["utterance"].tolist() == ["Hello."]
    model = CBERLClassifier(
        hidden_size=8, max_epochs=1, checkpoint="~/state", random_state=0
    ).fit(X, y)
    assert (tmp_path / "state").is_dir()
    save_model(model, "~/emotions.skmerc")
    again = load_model("~/emotions.skmerc")
    assert again.predict(X).tolist() == model.predict(X).tolist()
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "no.csv"))):
        load_table("~/no.csv")
    assert as_path("~nobody of this name/a") == Path("~nobody of this name/a")


class Place:
    """A path of another library, which is no Path of Python."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


READERS = [name for name in datasets.__all__ if name.startswith("load_")]


@pytest.mark.parametrize("name", [*READERS, "to_frame", "iter_table"])
def test_readers_take_whatever_is_a_path(tmp_path, name):
    read = getattr(datasets, name)
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "no.csv"))):
        next(iter(read(Place(tmp_path / "no.csv"))))


def test_what_scandir_finds_is_read(tmp_path):
    X, y = make_conversations(6, n_turns=(3, 4), random_state=0)
    X.assign(label=y).to_csv(tmp_path / "calls.csv", index=False)
    said = pd.DataFrame({"dialogue": [1], "turn": [0], "text": ["Hello."]})
    said.to_csv(tmp_path / "said.csv", index=False)
    (tmp_path / "call.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n")
    with os.scandir(tmp_path) as entries:
        found = {entry.name: entry for entry in entries}
    assert load_table(found["calls.csv"])[1].tolist() == y.tolist()
    assert sum(len(part) for part, _ in iter_table(found["calls.csv"])) == len(X)
    assert to_frame(found["said.csv"])[0]["utterance"].tolist() == ["Hello."]
    for path in (found["call.srt"], [found["call.srt"]]):
        assert load_subtitles(path)[0]["utterance"].tolist() == ["Hello."]
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "call.srt"))) as told:
        to_frame(found["call.srt"])
    assert "DirEntry" not in str(told.value)
