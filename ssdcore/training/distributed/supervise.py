"""Supervises the processes of a group: shows output, passes signals on, ends all on failure."""

import os
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from time import monotonic, sleep
from types import FrameType
from typing import Any, NamedTuple

from ssdcore.core.messages import say
from ssdcore.core.signals import EVALUATION, STOPPING
from ssdcore.training.distributed.worker import (
    SCHEDULER,
    end_mark,
    is_running,
    read_note,
    worker_name,
)

DONE, FAILED, INPUT_ERROR, STOPPED = 0, 1, 2, 75
SIGNALLED = 128
"""Offset of a signal's number in the exit status, as in shells."""
POLL_SECONDS = 0.1
START_SECONDS = 120.0
"""Limit for each process to write its first note."""
SAVE_SECONDS = 120.0
"""Limit for all processes to exit after one stopped or a signal was passed on; they save."""
INPUT_ERROR_SECONDS = 10.0
"""Limit for the other processes to find the same input error."""
KILL_SECONDS = 10.0
"""Limit for a killed process to be gone; one that waits for a broken disk may stay."""
LINES_SHOWN = 20
NOISE = re.compile(r"\[(DEBUG|INFO|WARNING)\] \w+\(\d+[,:]")
"""MindSpore's own lines below errors; a few appear at any log level."""


class Worker(NamedTuple):
    """The state of a process, from its note and from whether it runs."""

    name: str  # of its note and its log
    pid: int | None  # None before it has written a note
    status: int | None  # None before it has exited by itself
    running: bool

    @property
    def ended(self) -> bool:
        """Whether it has ended as intended: done, stopped, or on an input error."""
        return self.status in (DONE, INPUT_ERROR, STOPPED)

    @property
    def failure(self) -> str:
        """The failure, beginning with a verb; empty if it did not fail."""
        if self.status is not None:
            return "" if self.ended else f"ended with status {self.status}"
        return "was killed or crashed" if self.pid and not self.running else ""

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal if it runs."""
        if self.pid and self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Supervisor:
    """Waits for the processes of this machine, and ends all of them if one fails.

    The output of the first process is shown. A first SIGTERM or SIGINT is passed on, so that the
    processes can save their state; a second one ends them at once. SIGUSR1 is passed on to the
    first process, whose request applies to all, and ends nothing.

    The notes and logs are in `folder`. A group of a larger `size` than the ranks is on several
    machines.
    """

    def __init__(self, msrun: "Popen[bytes]", folder: Path, ranks: range, size: int) -> None:
        self._msrun = msrun
        self._folder = folder
        self._names = [worker_name(rank) for rank in ranks]
        self._several_machines = len(ranks) < size
        self._shown_bytes = 0
        self._signals: list[signal.Signals] = []
        self._requests: list[signal.Signals] = []

    def run(self) -> int:
        """Returns the exit status: that of the first process that did not end with 0, if any."""
        try:
            with (
                _recording_signals(STOPPING, self._signals),
                _recording_signals((EVALUATION,), self._requests),
            ):
                return self._wait()
        finally:
            self._kill_all()
            self._show_output(complete=True)

    def _wait(self) -> int:
        start_by, exit_by = monotonic() + START_SECONDS, float("inf")
        passed_on = False
        while True:
            self._show_output()
            workers = [self._look_at(name) for name in self._names]
            status = next((w.status for w in workers if w.ended and w.status), 0)
            if all(worker.ended for worker in workers):
                self._wait_for_exit()
                return self._ended_early(workers, status) if status else 0
            if self._signals and not passed_on:
                passed_on, exit_by = True, monotonic() + SAVE_SECONDS
                for worker in workers:
                    worker.send(self._signals[0])
            if self._requests and workers[0].running:
                self._requests.clear()
                workers[0].send(EVALUATION)
            failure = self._find_failure(workers, late=monotonic() > start_by)
            if failure and not self._signals:  # a process that a signal ended did not fail
                return self._failed(*failure)
            if status and exit_by == float("inf"):
                seconds = INPUT_ERROR_SECONDS if status == INPUT_ERROR else SAVE_SECONDS
                exit_by = monotonic() + seconds
            gone = self._signals and not any(worker.running for worker in workers)
            if gone or len(self._signals) > 1 or monotonic() > exit_by:
                return self._ended_early(workers, status)
            sleep(POLL_SECONDS)

    def _look_at(self, name: str) -> Worker:
        note = read_note(self._folder, name)
        if note is None:
            return Worker(name, None, None, running=False)
        running = is_running(note.pid)
        note = read_note(self._folder, name) or note  # it may have exited after the first reading
        return Worker(name, note.pid, note.status, running)

    def _find_failure(self, workers: Sequence[Worker], late: bool) -> tuple[str, str] | None:
        """Returns the name of the log that explains a failure, and the failure."""
        for worker in workers:
            if worker.failure:
                return worker.name, worker.failure
        if self._msrun.poll():
            return "msrun", "could not start the processes"
        silent = [worker.name for worker in workers if worker.pid is None]
        return (silent[0], f"did not start in {START_SECONDS:.0f} s") if silent and late else None

    def _failed(self, name: str, failure: str) -> int:
        """Prints the failure and the end of the log; returns the exit status."""
        path = self._log(name)
        say(f"error: {name} {failure}; the end of {path}:", error=True)
        for line in _last_lines(path, LINES_SHOWN):
            say(f"  {line}", error=True)
        return FAILED

    def _ended_early(self, workers: Sequence[Worker], status: int) -> int:
        """Prints the reason unless it was shown; returns the exit status."""
        mistaken = [worker.name for worker in workers if worker.status == INPUT_ERROR]
        if mistaken and self._names[0] not in mistaken:
            _print(_last_lines(self._log(mistaken[0]), 1))
        if status or not self._signals:
            return status
        say(f"stopped by {self._signals[0].name}", error=True)
        return SIGNALLED + self._signals[0]

    def _wait_for_exit(self) -> None:
        """Waits for processes that have finished to exit.

        With several machines, the scheduler is one of them: it also serves the others' processes.
        """
        names = [*self._names, *([SCHEDULER] if self._several_machines else [])]
        until = monotonic() + SAVE_SECONDS
        while self._any_runs(names) and monotonic() < until and not self._signals:
            sleep(POLL_SECONDS)

    def _kill_all(self) -> None:
        """Kills whatever still runs; a process that has only just started finds the end mark."""
        end_mark(self._folder).touch()
        self._msrun.kill()
        self._msrun.wait()
        names = [*self._names, SCHEDULER]
        for name in names:
            self._look_at(name).send(signal.SIGKILL)
        until = monotonic() + KILL_SECONDS
        while self._any_runs(names) and monotonic() < until:
            sleep(POLL_SECONDS)

    def _any_runs(self, names: Sequence[str]) -> bool:
        return any(self._look_at(name).running for name in names)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _show_output(self, *, complete: bool = False) -> None:
        """Prints new lines of the first process; the last line only if it is `complete`."""
        path = self._log(self._names[0])
        if not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(self._shown_bytes)
            content = file.read()
        if not complete:
            content = content[: content.rfind(b"\n") + 1]
        self._shown_bytes += len(content)
        _print(_lines(content))


def _last_lines(path: Path, count: int) -> list[str]:
    return _lines(path.read_bytes())[-count:] if path.is_file() else []


def _lines(content: bytes) -> list[str]:
    """Returns the lines of a log without MindSpore's remarks."""
    lines = content.decode(errors="replace").splitlines()
    return [line for line in lines if not NOISE.match(line)]


def _print(lines: Sequence[str]) -> None:
    """Prints lines of a process, its errors to standard error."""
    for line in lines:
        say(line, error=line.startswith("error: "))


@contextmanager
def _recording_signals(
    numbers: Sequence[signal.Signals], received: list[signal.Signals]
) -> Iterator[None]:
    """Appends each signal of these numbers to `received`."""

    def record(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))

    before: dict[int, Any] = {n: signal.signal(n, record) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
