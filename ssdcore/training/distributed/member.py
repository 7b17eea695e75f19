"""A process of the group, as its launcher sees it: from its note and from whether it is there."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ssdcore.training.distributed.worker import is_running, read_note

DONE, FAILED, MISTAKEN, STOPPED = 0, 1, 2, 75
ON_PURPOSE = {DONE, MISTAKEN, STOPPED}
"""Statuses that a process chose: done, the user's mistake, stopped with its state saved."""


class Member(NamedTuple):
    """What is known of a process.

    Attributes:
        name: of its note and its log.
        pid: None before it has left a note.
        status: None before it has ended by itself.
        running: whether it is there.
    """

    name: str
    pid: int | None
    status: int | None
    running: bool

    @property
    def left(self) -> bool:
        """Whether it has ended on purpose; it may still be on its way out."""
        return self.status in ON_PURPOSE

    @property
    def failure(self) -> str:
        """How it failed, a verb and more; empty where it did not."""
        if self.status is not None:
            return "" if self.left else f"ended with status {self.status}"
        return "was killed or crashed" if self.pid and not self.running else ""

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal if it is there."""
        if self.pid and self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def look(folder: Path, name: str) -> Member:
    """Looks at a process of this machine."""
    note = read_note(folder, name)
    if note is None:
        return Member(name, None, None, False)
    running = is_running(note.pid)
    completed = read_note(folder, name) or note  # it may have ended after the first reading
    return Member(name, completed.pid, completed.status, running)
