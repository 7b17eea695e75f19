"""Stays with the processes of a group from outside: shows, stops, never waits for a dead one."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from time import monotonic, sleep
from types import FrameType
from typing import Any

from ssdcore.training.distributed.member import FAILED, MISTAKEN, Member, look
from ssdcore.training.distributed.worker import SCHEDULER, end_mark, worker_name
from ssdcore.training.distributed.worker_log import WorkerLog

KILLED_BY = 128
"""Added to a signal's number, as shells do."""
SECONDS_BETWEEN_LOOKS = 0.1
START_SECONDS = 120.0
"""For each process to leave its first note."""
SAVE_SECONDS = 120.0
"""For all processes to leave, once one has stopped or was told to: the state is saved in it."""
MISTAKE_SECONDS = 10.0
"""For the others to meet the user's mistake, too."""
KILL_SECONDS = 10.0
"""For a killed process to be gone; one that waits for a broken disk may stay."""
LINES_SHOWN = 20


class Supervisor:
    """Waits for the processes of this machine, and ends them all where one of them fails.

    The first one's output is shown as it comes. A first SIGTERM or SIGINT is passed on, so that
    they can save their state; a second one ends them at once.

    Args:
        msrun: starts the processes.
        folder: their notes and logs.
        ranks: those of this machine.
        size: of the group; with several machines it is more than the ranks.
    """

    def __init__(self, msrun: "Popen[bytes]", folder: Path, ranks: range, size: int) -> None:
        self._msrun = msrun
        self._folder = folder
        self._names = [worker_name(rank) for rank in ranks]
        self._several_machines = len(ranks) < size
        self._shown = WorkerLog(folder / f"{self._names[0]}.log")
        self._signals: list[signal.Signals] = []

    def run(self) -> int:
        """Returns the exit status: of the first process that did not end with 0, if any."""
        try:
            with _noting_signals(self._signals):
                return self._wait()
        finally:
            self._end()
            _print(self._shown.new_lines(ended=True))

    def _wait(self) -> int:
        start_by, leave_by = monotonic() + START_SECONDS, float("inf")
        passed_on = False
        while True:
            _print(self._shown.new_lines())
            members = [look(self._folder, name) for name in self._names]
            status = next((m.status for m in members if m.left and m.status), 0)
            if all(member.left for member in members):
                self._let_go()
                return self._ended_early(members, status) if status else 0
            if self._signals and not passed_on:
                passed_on, leave_by = True, monotonic() + SAVE_SECONDS
                for member in members:
                    member.send(self._signals[0])
            failure = self._failure(members, late=monotonic() > start_by)
            if failure and not self._signals:  # whom a signal ended did not fail
                return self._failed(*failure)
            if status and leave_by == float("inf"):
                seconds = MISTAKE_SECONDS if status == MISTAKEN else SAVE_SECONDS
                leave_by = monotonic() + seconds
            gone = self._signals and not any(member.running for member in members)
            if gone or len(self._signals) > 1 or monotonic() > leave_by:
                return self._ended_early(members, status)
            sleep(SECONDS_BETWEEN_LOOKS)

    def _failure(self, members: Sequence[Member], late: bool) -> tuple[str, str] | None:
        """Returns whose log tells of a failure, and what happened."""
        for member in members:
            if member.failure:
                return member.name, member.failure
        if self._msrun.poll():
            return "msrun", "could not start the processes"
        silent = [member.name for member in members if member.pid is None]
        return (silent[0], f"did not start in {START_SECONDS:.0f} s") if silent and late else None

    def _failed(self, name: str, what: str) -> int:
        """Says what happened and how the log ends; returns the exit status."""
        log = WorkerLog(self._folder / f"{name}.log")
        _print(self._shown.new_lines())
        print(f"error: {name} {what}; the end of {log.path}:", file=sys.stderr)
        for line in log.last_lines(LINES_SHOWN):
            print(f"  {line}", file=sys.stderr)
        return FAILED

    def _ended_early(self, members: Sequence[Member], status: int) -> int:
        """Says why, unless it was shown; returns the exit status."""
        mistaken = [member.name for member in members if member.status == MISTAKEN]
        if mistaken and self._names[0] not in mistaken:
            _print(WorkerLog(self._folder / f"{mistaken[0]}.log").last_lines(1))
        if status or not self._signals:
            return status
        print(f"stopped by {self._signals[0].name}", file=sys.stderr)
        return KILLED_BY + self._signals[0]

    def _let_go(self) -> None:
        """Gives processes that have done their work the time to go.

        With several machines the scheduler is one of them: it serves the others' processes, too.
        """
        names = [*self._names, *([SCHEDULER] if self._several_machines else [])]
        until = monotonic() + SAVE_SECONDS
        while self._any_runs(names) and monotonic() < until and not self._signals:
            sleep(SECONDS_BETWEEN_LOOKS)

    def _end(self) -> None:
        """Ends whatever still runs; what has only just started sees the mark and is ended, too."""
        end_mark(self._folder).touch()
        self._msrun.kill()
        self._msrun.wait()
        names = [*self._names, SCHEDULER]
        for name in names:
            look(self._folder, name).send(signal.SIGKILL)
        until = monotonic() + KILL_SECONDS
        while self._any_runs(names) and monotonic() < until:
            sleep(SECONDS_BETWEEN_LOOKS)

    def _any_runs(self, names: Sequence[str]) -> bool:
        return any(look(self._folder, name).running for name in names)


def _print(lines: Sequence[str]) -> None:
    """Prints lines of a process as it did: its errors are errors."""
    for line in lines:
        print(line, file=sys.stderr if line.startswith("error: ") else sys.stdout, flush=True)


@contextmanager
def _noting_signals(noted: list[signal.Signals]) -> Iterator[None]:
    """Appends SIGTERM and SIGINT to `noted` as they come."""

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(signal.Signals(number))

    before: dict[int, Any] = {n: signal.signal(n, note) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
