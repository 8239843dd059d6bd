"""Annotations of public corpora, downloaded on request from where their authors are."""

import hashlib
import os
import time
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

from skmerc._utils.compat import Interval, validate_params
from skmerc._utils.files import as_path
from skmerc._utils.optional import need
from skmerc._utils.types import FilePath


@dataclass(frozen=True)
class _Source:
    """A folder of the web: its files by name, each with its SHA-256."""

    url: str
    checksums: dict


# One commit, so that the files stay as they are.
_MELD = _Source(
    "https://raw.githubusercontent.com/declare-lab/MELD/"
    "e8cedf27b5d2877e198332c957127e16eb214afe/data/MELD/",
    {
        "train_sent_emo.csv": (
            "d2fa2d6529cf03cac2989efec05c9b27d8fd2f4c8fc5974c7ae88aa537fa02db"
        ),
        "dev_sent_emo.csv": (
            "2e89c6f8aa182d6f62f8c6331aece905ac7273ca4999660bfb5213e1d0370c1c"
        ),
        "test_sent_emo.csv": (
            "8d37103938f7067600839fe29d5a114a6cd1bcdafb75bec101e06464c5006888"
        ),
    },
)


@validate_params(
    {
        "data_home": [str, os.PathLike, None],
        "download_if_missing": ["boolean"],
        "n_retries": [Interval(Integral, 0, None, closed="left")],
        "delay": [Interval(Real, 0, None, closed="left")],
        "progress": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def fetch_meld_annotations(
    data_home: FilePath | None = None,
    *,
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
    progress: bool = False,
) -> Path:
    """Download the annotations of MELD, or find them where they are already.

    These are its three tables of utterances: the words, who says them, emotion,
    sentiment, and where they stand in the series, in 9989 utterances for
    training, 1109 for development and 2610 for testing.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder of all downloads; the files go to ``meld`` in it. By default
        what the environment variable ``SKMERC_DATA_HOME`` says, and otherwise
        ``~/skmerc_data``.
    download_if_missing : bool, default=True
        Whether to download what is not there; otherwise that is an error.
    n_retries : int, default=3
        How many times to try again, for each file, when a connection breaks.
    delay : float, default=1.0
        Seconds to wait before trying again.
    progress : bool, default=False
        Whether to draw a progress bar for each file.

    Returns
    -------
    folder : Path
        The folder that holds ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and
        ``test_sent_emo.csv``.

    Raises
    ------
    ImportError
        If something must be downloaded and pooch is not installed.
    OSError
        If a file is missing and is not to be downloaded, cannot be downloaded or
        is not the one expected, or if the folder cannot be written to. No part
        of a download is kept.

    Notes
    -----
    The tables come from github.com/declare-lab/MELD, at one commit, and are
    checked by their SHA-256, also those from an earlier call: a damaged file is
    downloaded again. Their authors publish them under the license GPL-3.0; they
    are no part of this package. The clips that they describe belong to a
    television series and are not downloaded.

    References
    ----------
    S. Poria, D. Hazarika, N. Majumder, G. Naik, E. Cambria and R. Mihalcea,
    "MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in
    Conversations", ACL 2019.

    Examples
    --------
    >>> from skmerc.datasets import fetch_meld_annotations
    >>> folder = fetch_meld_annotations()  # doctest: +SKIP
    >>> sorted(path.name for path in folder.iterdir())  # doctest: +SKIP
    ['dev_sent_emo.csv', 'test_sent_emo.csv', 'train_sent_emo.csv']
    """
    home = data_home or os.environ.get("SKMERC_DATA_HOME") or "~/skmerc_data"
    folder = as_path(home) / "meld"
    missing = [
        name
        for name, checksum in _MELD.checksums.items()
        if not _is_whole(folder / name, checksum)
    ]
    if missing and not download_if_missing:
        raise OSError(
            f"{folder} has no undamaged {missing[0]}, and download_if_missing is False."
        )
    if missing:
        _make_writable(folder)
        _download(_MELD, missing, folder, n_retries, delay, progress)
    return folder


def _is_whole(path, checksum):
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == checksum


def _make_writable(folder):
    advice = "give another data_home, or set SKMERC_DATA_HOME."
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder} cannot be made ({error}); {advice}") from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} cannot be written to; {advice}")


def _download(source, names, folder, n_retries, delay, progress):
    (pooch,) = need("fetch", "pooch")
    files = pooch.create(folder, source.url, registry=source.checksums)
    downloader = pooch.HTTPDownloader(progressbar=progress)
    for name in names:
        _download_file(files, name, downloader, n_retries, delay)


def _download_file(files, name, downloader, n_retries, delay):
    """Try until it works, will never work, or has been tried often enough.

    pooch itself (`retry_if_failed`) would ask again for what is not there, and wait as
    long as it likes.
    """
    from requests import RequestException

    for retries_left in reversed(range(n_retries + 1)):
        try:
            return files.fetch(name, downloader=downloader)
        except (ValueError, RequestException) as error:
            if not retries_left or _is_final(error):
                raise OSError(
                    f"{files.get_url(name)} could not be downloaded "
                    f"({type(error).__name__}: {error}); no part of it is kept. Try "
                    f"again later, or put the file into {files.path} yourself."
                ) from error
        time.sleep(delay)


def _is_final(error):
    status = getattr(getattr(error, "response", None), "status_code", 500)
    return status < 500 and status not in (408, 429)
