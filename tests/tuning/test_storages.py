"""Several processes share a study; one of them may die."""

import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
import study_worker
from optuna.trial import FixedTrial, TrialState

WORKER = Path(study_worker.__file__)
NOBODY = {"user": "nobody", "group": "nogroup", "extra_groups": []}


@contextmanager
def worker(url, n_trials, *arguments):
    """A process that takes part in the study."""
    command = [sys.executable, str(WORKER), url, str(n_trials), *arguments]
    environment = os.environ | {"PYTHONPATH": str(WORKER.parents[2])}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_trials(lines):
    """Numbers and values of the trials that a worker has printed."""
    trials = (line.split() for line in lines)
    return {int(number): float(value) for number, value in trials}


@contextmanager
def shared_study(url):
    with study_worker.storage_at(url) as storage:
        yield optuna.create_study(
            study_name=study_worker.NAME, storage=storage, direction="maximize"
        )


def finished(study):
    trials = study.get_trials(states=[TrialState.COMPLETE])
    return {trial.number: trial.value for trial in trials}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["study.log", "study.db"], ids=["journal", "sqlite"])
def test_two_processes_share_a_study(tmp_path, name):
    url = str(tmp_path / name)
    if name.endswith(".db"):
        url = f"sqlite:///{url}"
    with shared_study(url) as study, worker(url, 20) as other:
        begun = other.stdout.readline()
        own = study_worker.take_part(url, 10)
        others = read_trials([begun, *other.communicate(timeout=120)[0].splitlines()])
        assert other.returncode == 0
        assert (len(own), len(others)) == (10, 20)
        assert min(own) < max(others)
        assert finished(study) == own | others
        trial = FixedTrial(study.best_params)
        assert study_worker.objective()(trial) == study.best_value


@contextmanager
def postgresql():
    """Run a server of its own in an empty folder, and give its address."""
    binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    found = shutil.which(
        "initdb", path=os.pathsep.join([*binaries, os.environ["PATH"]])
    )
    if found is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="needs a driver: psycopg[binary]")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: it holds the socket
    account = NOBODY if os.geteuid() == 0 else {}  # the server refuses root
    if account:
        shutil.chown(folder, NOBODY["user"], NOBODY["group"])

    def call(program, *arguments):
        command = [str(Path(found).with_name(program)), "-D", f"{folder}/data"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(
            [*command, *arguments], cwd=folder, check=True, **account, **quiet
        )

    try:
        call("initdb", "--auth=trust", "--username=optuna", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        call("pg_ctl", "start", "-w", "-l", f"{folder}/log", "-o", options)
        try:
            yield f"postgresql+psycopg://optuna@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'study.db'}"
        return
    with postgresql() as url:
        yield url


@pytest.mark.slow
def test_a_killed_process_loses_nothing_but_its_own_trial(database):
    with (
        shared_study(database) as study,
        worker(database, 2000) as first,
        worker(database, 2000) as second,
    ):
        with worker(database, 2, "hang") as doomed:
            before = read_trials(iter(doomed.stdout.readline, "hanging\n"))
            doomed.kill()
        known = finished(study)
        told = [
            read_trials(other.communicate(timeout=240)[0].splitlines())
            for other in (first, second)
        ]
        assert doomed.returncode == -signal.SIGKILL
        assert first.returncode == second.returncode == 0
        assert len(before) == 1
        assert known.items() <= finished(study).items()
        assert finished(study) == before | told[0] | told[1]
        [stale] = study.get_trials(states=[TrialState.FAIL])
        assert list(stale.intermediate_values) == [0]
        assert all(max(trials) > stale.number for trials in told)
        assert study.get_trials(states=[TrialState.RUNNING]) == []
