"""How a launcher handles processes that end in all kinds of ways; without MindSpore."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

from ssdcore.core.signals import EVALUATION, STOPPING
from ssdcore.training.distributed import supervise
from ssdcore.training.distributed.supervise import Supervisor
from ssdcore.training.distributed.worker import (
    ROLE,
    Note,
    end_mark,
    is_running,
    read_note,
    worker_name,
)

ROOT = Path(__file__).parents[3]
PROMPT = 15.0
"""Limit in seconds for the end of a job; the slowest takes 2 on an idle machine."""


class Job:
    """Processes as msrun starts them, under a supervisor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children = []

    def run(self, *ways: str) -> int:
        """Runs one process per way; checks that it ends in time and leaves no process behind."""
        for rank in range(len(ways)):
            with (self.folder / f"{worker_name(rank)}.log").open("wb") as log:
                child = subprocess.Popen(
                    [*worker(self.folder, os.getpid()), *ways],
                    env=environment(rank),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
                self.children.append(child)
        msrun = subprocess.Popen([sys.executable, "-c", ""])
        began = monotonic()
        status = Supervisor(msrun, self.folder, range(len(ways)), len(ways)).run()
        assert monotonic() - began < PROMPT
        for child in self.children:
            child.wait(PROMPT)
        return status

    def signal_at(self, *files: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Sends this process a signal at each of the files, when all processes have made it."""

        def send() -> None:
            for name in files:
                while not all((self.folder / f"{name}_{rank}").exists() for rank in (0, 1)):
                    sleep(0.02)
                if signal.getsignal(number) != BEFORE[number]:  # else it would end the tests
                    os.kill(os.getpid(), number)

        Thread(target=send, daemon=True).start()


BEFORE = {number: signal.getsignal(number) for number in (*STOPPING, EVALUATION)}


def worker(folder: Path, launcher: int) -> list[str]:
    """Returns the command of a process, but for the ways."""
    module = [sys.executable, "-m", "ssdcore.training.distributed.worker"]
    return [
        *module,
        str(folder),
        str(launcher),
        "tests.training.distributed.launch_work",
        str(folder),
    ]


def environment(rank: int) -> dict[str, str]:
    """Returns what msrun sets, and where the module is."""
    return {**os.environ, "PYTHONPATH": str(ROOT), ROLE: "MS_WORKER", "RANK_ID": str(rank)}


@pytest.fixture
def job(tmp_path, monkeypatch):
    for name in ("START_SECONDS", "SAVE_SECONDS", "INPUT_ERROR_SECONDS"):
        monkeypatch.setattr(supervise, name, PROMPT)
    job = Job(tmp_path)
    yield job
    for child in job.children:
        with child:
            child.kill()


def test_only_the_output_of_the_first_is_shown(job, capfd):
    assert job.run("is done", "is done") == 0
    out, err = capfd.readouterr()
    arguments = f"0 has arguments {job.folder} is done is done as MS_WORKER"
    assert out.splitlines() == [*(f"0 says {n}" for n in range(25)), arguments, "0 is done"]
    assert err == ""
    notes = [read_note(job.folder, worker_name(rank)) for rank in (0, 1)]
    assert notes == [Note(child.pid, 0) for child in job.children]


@pytest.mark.parametrize(
    ("way", "what", "end"),
    [
        ("raises", "ended with status 1", "ValueError: the reason"),
        ("says why", "ended with status 1", "  the reason"),
        ("is killed", "was killed or crashed", "as MS_WORKER"),
        ("vanishes", "was killed or crashed", "as MS_WORKER"),
    ],
)
def test_a_process_that_fails_ends_the_others_and_shows_its_log(job, capfd, way, what, end):
    assert job.run("waits", way) == 1
    _, err = capfd.readouterr()
    headline, *log = err.splitlines()
    assert headline == f"error: worker_1 {what}; the end of {job.folder / 'worker_1.log'}:"
    assert log[-1].endswith(end)
    assert len(log) == 20
    assert all(line.startswith("  ") for line in log)
    assert job.children[0].returncode == -signal.SIGKILL


def test_an_input_error_of_all_is_printed_once(job, capfd):
    assert job.run("is mistaken", "is mistaken") == 2
    assert capfd.readouterr().err == "error: 0 is mistaken\n"


def test_an_input_error_of_one_ends_the_others(job, capfd, monkeypatch):
    monkeypatch.setattr(supervise, "INPUT_ERROR_SECONDS", 0.3)
    assert job.run("waits", "is mistaken") == 2
    assert capfd.readouterr().err == "error: 1 is mistaken\n"


def test_a_request_to_measure_reaches_the_first_and_ends_nothing(job):
    job.signal_at("ready", number=EVALUATION)
    assert job.run("measures", "measures") == 0
    assert not (job.folder / "received_1").exists()


def test_a_request_to_measure_before_the_training_ends_nothing(job):
    assert job.run("is asked too early") == 0


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_passed_on_and_their_status_is_ours(job, capfd, number):
    job.signal_at("ready", number=number)
    assert job.run("stops", "stops") == 75
    out, err = capfd.readouterr()
    assert out.endswith("0 saves its state\n")
    assert err == ""
    assert "1 saves its state" in (job.folder / "worker_1.log").read_text()


def test_a_signal_that_ends_them_at_once_is_named(job, capfd):
    job.signal_at("ready")
    assert job.run("waits", "waits") == 128 + signal.SIGTERM
    assert capfd.readouterr().err == "stopped by SIGTERM\n"


def test_a_second_signal_ends_those_that_ignored_the_first(job, capfd):
    job.signal_at("ready", "received")
    assert job.run("ignores signals", "ignores signals") == 128 + signal.SIGTERM
    assert capfd.readouterr().err == "stopped by SIGTERM\n"


def test_processes_that_ignore_a_signal_are_ended_after_a_while(job, monkeypatch):
    monkeypatch.setattr(supervise, "SAVE_SECONDS", 0.3)
    job.signal_at("ready")
    assert job.run("stops", "ignores signals") == 75


def test_the_signal_handlers_are_restored(job):
    job.run("is done")
    assert {number: signal.getsignal(number) for number in BEFORE} == BEFORE


def test_a_process_that_never_starts_is_named(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(supervise, "START_SECONDS", 0.0)
    msrun = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with msrun:
        assert Supervisor(msrun, tmp_path, range(2), 2).run() == 1
        assert msrun.returncode == -signal.SIGKILL
    assert "error: worker_0 did not start in 0 s" in capfd.readouterr().err


def test_a_launcher_that_starts_nothing_is_named(tmp_path, capfd):
    (tmp_path / "msrun.log").write_text("no such option\n")
    msrun = subprocess.Popen([sys.executable, "-c", "raise SystemExit(2)"])
    assert Supervisor(msrun, tmp_path, range(2), 2).run() == 1
    err = capfd.readouterr().err
    assert err.startswith("error: msrun could not start the processes")
    assert err.endswith("  no such option\n")


@pytest.mark.parametrize("way", ["ignores signals", "keeps Python's lock"])
def test_a_process_whose_launcher_is_gone_is_ended(job, way):
    """Otherwise it could write the same files as the next launch."""
    launcher = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    command = [*worker(job.folder, launcher.pid), way]
    child = subprocess.Popen(command, env=environment(0), stdout=subprocess.DEVNULL)
    job.children += [launcher, child]
    until = monotonic() + PROMPT
    while not (job.folder / "ready_0").exists():
        assert monotonic() < until
        sleep(0.02)
    assert child.poll() is None
    launcher.communicate()  # it exits when its input ends
    assert child.wait(PROMPT) == -signal.SIGKILL


def test_a_process_that_starts_after_the_end_is_ended(job):
    end_mark(job.folder).touch()
    child = subprocess.Popen([*worker(job.folder, os.getpid()), "waits"], env=environment(0))
    job.children.append(child)
    assert child.wait(PROMPT) == -signal.SIGKILL


def test_a_zombie_does_not_run():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert is_running(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_running(child.pid)
    assert not is_running(child.pid)
