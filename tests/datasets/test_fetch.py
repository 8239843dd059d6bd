"""Downloads from a server on this machine, which cuts, lies and refuses."""

import hashlib
import os
import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from skmerc.datasets import _fetch, fetch_meld_annotations

pooch = pytest.importorskip("pooch")

FILES = {
    f"{part}_sent_emo.csv": f"Sr No.,Utterance\r\n1,{part}\r\n".encode() * 5000
    for part in ("train", "dev", "test")
}
SHA256 = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}


class Server(ThreadingHTTPServer):
    """Serves FILES; `faults` holds what to do instead with the next requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.faults = [], {}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        name = self.path.removeprefix("/")
        self.server.requests.append(name)
        faults = self.server.faults.get(name, [])
        fault = faults.pop(0) if faults else None
        status = fault if isinstance(fault, int) else 200
        data = b"something else" if fault == "lie" else FILES[name]
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if fault == "cut" else data)
        self.close_connection = True


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(pooch.get_logger(), "disabled", True)
    with Server() as server:
        source = replace(_fetch._MELD, url=server.url, checksums=SHA256)
        monkeypatch.setattr(_fetch, "_MELD", source)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch):
    """The pauses between attempts, which nobody sits through."""
    waits = []
    monkeypatch.setattr(_fetch.time, "sleep", waits.append)
    return waits


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_downloaded_once(server, tmp_path):
    folder = fetch_meld_annotations(tmp_path)
    assert folder == tmp_path / "meld"
    assert contents(folder) == FILES
    assert sorted(server.requests) == sorted(FILES)
    assert fetch_meld_annotations(str(tmp_path)) == folder
    assert len(server.requests) == 3


def test_files_go_to_the_data_home_of_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SKMERC_DATA_HOME", str(tmp_path / "data"))
    assert fetch_meld_annotations() == tmp_path / "data" / "meld"


def test_data_home_is_a_folder_of_the_user_by_default(server, tmp_path, monkeypatch):
    monkeypatch.delenv("SKMERC_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetch_meld_annotations() == tmp_path / "skmerc_data" / "meld"
    assert fetch_meld_annotations("~/skmerc_data") == tmp_path / "skmerc_data" / "meld"


def test_damaged_file_is_downloaded_again_and_the_others_are_not(server, tmp_path):
    folder = fetch_meld_annotations(tmp_path)
    (folder / "dev_sent_emo.csv").write_bytes(b"half of it")
    server.requests.clear()
    fetch_meld_annotations(tmp_path)
    assert server.requests == ["dev_sent_emo.csv"]
    assert contents(folder) == FILES


def test_cut_connection_is_tried_again(server, tmp_path, waits):
    server.faults["train_sent_emo.csv"] = ["cut", "cut"]
    folder = fetch_meld_annotations(tmp_path, n_retries=2, delay=0.5)
    assert contents(folder) == FILES
    assert server.requests.count("train_sent_emo.csv") == 3
    assert waits == [0.5, 0.5]


@pytest.mark.parametrize(
    ("fault", "named", "attempts"),
    [
        ("cut", "ChunkedEncodingError", 3),
        ("lie", "hash of downloaded file .*does not match", 3),
        (503, "503", 3),
        (404, "404", 1),
    ],
)
def test_lasting_fault_is_an_error_that_leaves_no_part(
    fault, named, attempts, server, tmp_path, waits
):
    server.faults["dev_sent_emo.csv"] = [fault] * 9
    match = rf"{server.url}dev_sent_emo\.csv could not be downloaded .*{named}"
    with pytest.raises(OSError, match=f"(?is){match}"):
        fetch_meld_annotations(tmp_path, n_retries=2)
    assert server.requests.count("dev_sent_emo.csv") == attempts
    assert contents(tmp_path / "meld") == {
        "train_sent_emo.csv": FILES["train_sent_emo.csv"]
    }


def test_damaged_file_is_never_taken_for_whole(server, tmp_path):
    folder = fetch_meld_annotations(tmp_path)
    (folder / "dev_sent_emo.csv").write_bytes(b"half of it")
    with pytest.raises(OSError, match=r"no undamaged dev_sent_emo\.csv"):
        fetch_meld_annotations(tmp_path, download_if_missing=False)
    server.faults["dev_sent_emo.csv"] = [404]
    with pytest.raises(OSError, match="404"):
        fetch_meld_annotations(tmp_path)


def test_server_that_is_down_is_an_error(server, tmp_path, waits, monkeypatch):
    source = replace(_fetch._MELD, url="http://127.0.0.1:9/")
    monkeypatch.setattr(_fetch, "_MELD", source)
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9/train_sent_emo\.csv could not"):
        fetch_meld_annotations(tmp_path, n_retries=1)
    assert contents(tmp_path / "meld") == {}


def test_missing_files_are_not_downloaded_if_so_told(server, tmp_path):
    with pytest.raises(OSError, match=r"train_sent_emo\.csv.*download_if_missing"):
        fetch_meld_annotations(tmp_path, download_if_missing=False)
    assert (server.requests, list(tmp_path.iterdir())) == ([], [])
    folder = fetch_meld_annotations(tmp_path)
    assert fetch_meld_annotations(tmp_path, download_if_missing=False) == folder


def test_file_in_the_place_of_the_folder_is_an_error(server, tmp_path):
    (tmp_path / "meld").write_text("no folder")
    with pytest.raises(OSError, match="meld cannot be made .* SKMERC_DATA_HOME"):
        fetch_meld_annotations(tmp_path)
    with pytest.raises(OSError, match="cannot be made .* give another data_home"):
        fetch_meld_annotations(tmp_path / "meld" / "deeper")
    assert server.requests == []


def test_folder_that_is_read_only_is_an_error(server, tmp_path, monkeypatch):
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: mode != os.W_OK and access(path, mode)
    )
    with pytest.raises(PermissionError, match="meld cannot be written to"):
        fetch_meld_annotations(tmp_path)
    assert server.requests == []


def test_folder_that_may_not_be_made_is_an_error(server, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OSError, match=r"cannot be made .*Permission denied"):
        fetch_meld_annotations(tmp_path)
    assert server.requests == []


def test_files_that_are_there_need_no_pooch(server, tmp_path, monkeypatch):
    folder = fetch_meld_annotations(tmp_path)
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert fetch_meld_annotations(tmp_path) == folder
    (folder / "dev_sent_emo.csv").unlink()
    with pytest.raises(ImportError, match=r"pip install 'skmerc\[fetch\]'"):
        fetch_meld_annotations(tmp_path)


def test_progress_is_drawn_on_request(server, tmp_path, capsys):
    fetch_meld_annotations(tmp_path / "silent")
    assert capsys.readouterr().err == ""
    fetch_meld_annotations(tmp_path / "drawn", progress=True)
    assert capsys.readouterr().err.count("100%") >= 3


def test_checksums_are_those_of_the_real_files(real_data):
    folder = real_data / "raw" / "meld"
    if not folder.is_dir():
        pytest.skip("no originals beside the tables")
    for name, checksum in _fetch._MELD.checksums.items():
        assert _fetch._is_whole(folder / name, checksum), name


@pytest.mark.parametrize(
    "wrong", [{"n_retries": -1}, {"delay": -1.0}, {"progress": "yes"}, {"data_home": 3}]
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        fetch_meld_annotations(**wrong)
