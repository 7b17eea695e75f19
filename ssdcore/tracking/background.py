"""The stage's end of the process that delivers its spool."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ssdcore.tracking.orders import CLOSE, SEND
from ssdcore.tracking.tell import tell

PROJECT = Path(__file__).parents[2]
QUIET_S = 10.0
"""Seconds of waiting that need no words."""
LAST_RESORT_S = 120.0
"""After so many seconds and a share of the run's the process is stuck: it should have ended."""
SHARE = 0.05
KILLED_S = 5.0
"""A process that hangs in the kernel, on a dead network disk, can't even be killed."""


class Background:
    """A process of its own, so that nothing MLflow does or suffers is felt by the stage.

    An import of seconds, a wait for a locked database, a crash, a leak: all stay there, and unlike
    a thread it can be ended at any moment. Ctrl-C in the terminal does not reach it.

    Args:
        folder: the spool.

    Raises:
        OSError: it can't be started.
    """

    def __init__(self, folder: Path) -> None:
        paths = filter(None, (str(PROJECT), os.environ.get("PYTHONPATH")))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ssdcore.tracking.sender", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin
        self._orders = self._process.stdin
        os.set_blocking(self._orders.fileno(), False)

    def send(self) -> None:
        """Asks for what has been written so far to be sent now rather than in some seconds."""
        self._order(SEND)

    def close(self, open_s: float, patience: str) -> bool:
        """Waits until all is delivered or the sender leaves the rest; Ctrl-C ends the wait.

        Args:
            open_s: how long the run was open; the sender waits for a share of it.
            patience: what to say when the wait gets long.

        Returns:
            Whether all is delivered.
        """
        self._order(CLOSE)
        with suppress(KeyboardInterrupt):
            if not self._ends_within(QUIET_S):
                tell(patience)
                self._ends_within(LAST_RESORT_S + SHARE * open_s)
        self._process.kill()
        self._ends_within(KILLED_S)
        self._orders.close()
        return self._process.returncode == 0

    def _order(self, order: bytes) -> None:
        # A full pipe holds enough orders; one without a reader is found out at the end.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._orders.fileno(), order)

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True
