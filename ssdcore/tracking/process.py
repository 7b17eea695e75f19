"""The stage's side of the upload process; `ssdcore.tracking.uploader` is the other."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ssdcore.core.children import child_environment

FLUSH, END = b"f", b"e"
"""Signals to the process: upload now; the stage has ended. A pipe that closes means END, too."""
LAST_RESORT_S, SHARE = 120.0, 0.05
"""The process is stuck after these seconds plus this share of the run's time."""
KILLED_S = 5.0
"""A process that hangs in the kernel, on a dead network disk, can't even be killed."""


class UploadProcess:
    """Uploads a spool in a separate process, which also limits how long the stage's end waits.

    MLflow takes seconds to import, and its database work would hold the GIL. A crash, a leak or a
    locked database stays in that process, and Ctrl-C in the terminal doesn't reach it.

    Args:
        folder: the spool.

    Raises:
        OSError: the process can't be started.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ssdcore.tracking.uploader", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=child_environment(),
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin
        self._signals = self._process.stdin
        os.set_blocking(self._signals.fileno(), False)

    def flush(self) -> None:
        """Lets the process upload now what is written so far, instead of in some seconds."""
        self._signal(FLUSH)

    def close(self, open_s: float) -> None:
        """Waits until the process has uploaded everything or leaves the rest; Ctrl-C ends the wait.

        Args:
            open_s: how long the run was open.
        """
        self._signal(END)
        with suppress(KeyboardInterrupt):
            self._wait(LAST_RESORT_S + SHARE * open_s)
        self._process.kill()
        self._wait(KILLED_S)
        self._signals.close()

    def _signal(self, signal: bytes) -> None:
        # A full pipe holds enough signals, and `close` notices a dead process.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._signals.fileno(), signal)

    def _wait(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
