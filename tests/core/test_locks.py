"""One process at a time holds a lock; the next one says who, or waits."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from ssdcore.core.errors import InputError, RunError
from ssdcore.core.locks import holder_of, locked, writing_outs

HOLD = """import sys
from ssdcore.core.locks import writing_outs
with writing_outs("train"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def other():
    """A process that writes train's outs here until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, "--params", "my file.yaml"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.stdin.close()  # closing it twice does nothing


def test_the_second_says_which_process_holds_it(other):
    found = rf"the outputs of train are being written by process {other.pid} on \S+ since "
    found += r"\d{4}-.*--params 'my file\.yaml'\)"
    with pytest.raises(RunError, match=found) as error, writing_outs("train"):
        pass
    assert error.value.status == 1
    with writing_outs("convert"):  # other outs
        pass


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_holds_nothing(other, end):
    other.send_signal(end)
    other.wait()
    with writing_outs("train"):
        pass


def test_who_waits_says_so_and_gets_it_next(folder, other, monkeypatch):
    path, said = folder / ".ssd/locks/train.lock", []

    def release(line):
        said.append(line)
        other.stdin.close()

    monkeypatch.setattr("ssdcore.core.locks.say", release)
    silent = Timer(60, other.stdin.close)  # else the test would wait for ever
    silent.start()
    with locked(path, "the training", wait=True):
        assert other.wait() == 0
    silent.cancel()
    (line,) = said
    assert re.match(rf"waiting for process {other.pid} on .*, which works on the training", line)
    assert [file.name for file in path.parent.iterdir()] == ["train.lock"]


def test_the_lock_belongs_to_the_working_folder(other, folder, monkeypatch):
    (folder / "copy").mkdir()
    monkeypatch.chdir(folder / "copy")
    with writing_outs("train"):
        pass


def test_a_folder_that_cannot_be_written_is_one_error(folder):
    (folder / ".ssd").write_text("a file in the way")
    found = r"train\.lock: found '.*', expected a file that can be locked"
    with pytest.raises(InputError, match=found), writing_outs("train"):
        pass


def test_the_holder_of_a_lock_is_known(tmp_path):
    path = tmp_path / "a.lock"
    assert holder_of(path) is None
    with locked(path, "something"):
        assert holder_of(path) == os.getpid()
    assert holder_of(path) is None
