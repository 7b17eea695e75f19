import errno
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from time import sleep

import pytest

from ssdcore.core import machine_faults
from ssdcore.core.errors import RunError
from ssdcore.core.machine_faults import retrying, with_room


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(machine_faults, "PAUSES_S", (0.0, 0.0, 0.0))


class Failing:
    """Raises some errors in turn, then returns."""

    def __init__(self, *errors):
        self.errors, self.calls = list(errors), 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "read"


@pytest.mark.parametrize("code", ["EIO", "EMFILE", "ENFILE", "ENOMEM", "ESTALE", "ETIMEDOUT"])
def test_what_a_machine_fails_at_once_is_tried_again(code):
    assert retrying(Failing(OSError(getattr(errno, code), "short")), "a.jpg") == "read"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EIO, "Input/output error"), "a.jpg: Input/output error, 4 times in a row"),
        (MemoryError(), "a.jpg: not enough memory, 4 times"),
        (MemoryError("for 9×9 pixels"), "a.jpg: not enough memory for 9×9 pixels, 4 times"),
    ],
)
def test_a_machine_that_keeps_failing_ends_the_run_with_one_sentence(error, reason):
    work = Failing(*[error] * 4)
    with pytest.raises(RunError, match=reason):
        retrying(work, "a.jpg")
    assert work.calls == 4


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(errno.ENOENT, "no"), PermissionError(errno.EACCES, "no"), OSError("text"),
     IsADirectoryError(errno.EISDIR, "no"), ValueError("damaged")],
)  # fmt: skip
def test_a_fault_of_the_file_is_passed_on_at_once(error):
    work = Failing(error)
    with pytest.raises(type(error)):
        retrying(work, "a.jpg")
    assert work.calls == 1


def test_threads_try_again_one_at_a_time():
    """Else several images that need much memory would meet again."""
    all_started, alone = Barrier(4), Lock()

    def work(calls):
        calls.append(None)
        if len(calls) == 1:
            all_started.wait()
            raise MemoryError
        assert alone.acquire(blocking=False)
        sleep(0.005)
        assert retrying(Failing(MemoryError()), "a part") == "read"  # work may retry a part
        alone.release()
        return "read"

    with ThreadPoolExecutor(4) as pool:
        done = pool.map(lambda calls: retrying(lambda: work(calls), "a.jpg"), ([], [], [], []))
        assert list(done) == ["read"] * 4


FULL = "No space left on device"


class LibraryError(Exception):
    """As safetensors raises it: the error of the system is in the text only."""


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, FULL), LibraryError(f"{FULL} (code 28)")])
def test_a_disk_that_is_full_for_a_moment_is_waited_for(error, monkeypatch, capsys):
    monkeypatch.setattr(machine_faults, "sleep", lambda seconds: None)
    work = Failing(error, error)
    assert with_room(work, "model") == "read"
    assert work.calls == 3
    assert capsys.readouterr().err == f"model: {FULL}; trying again for 60 s\n"


def test_a_disk_that_stays_full_ends_the_wait(monkeypatch):
    monkeypatch.setattr(machine_faults, "ROOM_S", 0.01)
    with pytest.raises(OSError, match=FULL):
        with_room(Failing(*[OSError(errno.ENOSPC, FULL)] * 1000), "model")


def test_other_errors_are_not_waited_for():
    work = Failing(OSError(errno.EACCES, "Permission denied"))
    with pytest.raises(PermissionError):
        with_room(work, "model")
    assert work.calls == 1
