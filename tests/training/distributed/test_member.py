"""What a launcher makes of a process's note and of whether it is there."""

import os
import signal
import subprocess
import sys

import pytest

from ssdcore.core.files import write_json
from ssdcore.training.distributed.member import look
from ssdcore.training.distributed.worker import Note


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_without_a_note_it_has_not_begun(tmp_path):
    member = look(tmp_path, "worker_0")
    assert (member.pid, member.status, member.running, member.failure) == (None, None, False, "")


def test_it_runs_until_it_is_killed(tmp_path, sleeper):
    write_json(tmp_path / "worker_0.json", Note(sleeper.pid)._asdict())
    member = look(tmp_path, "worker_0")
    assert member.running
    assert not member.left
    assert member.failure == ""
    member.send(signal.SIGKILL)
    assert sleeper.wait(10) == -signal.SIGKILL
    gone = look(tmp_path, "worker_0")
    assert gone.failure == "was killed or crashed"
    gone.send(signal.SIGKILL)  # whom it would meet now is somebody else


@pytest.mark.parametrize(
    ("status", "left", "failure"),
    [(0, True, ""), (2, True, ""), (75, True, ""), (1, False, "ended with status 1")],
)
def test_its_own_status_tells_how_it_ended(tmp_path, status, left, failure):
    write_json(tmp_path / "worker_0.json", Note(os.getpid(), status)._asdict())
    member = look(tmp_path, "worker_0")
    assert (member.left, member.failure) == (left, failure)
