"""The stage's side of the upload process; `ssdcore.tracking.sender` is the other."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from threading import Timer

from ssdcore.core.processes import child_environment
from ssdcore.tracking.store import warn

PROMPT_S, SHARE = 10.0, 0.03
"""Maximum wait for a store at a stage's end: seconds, or a share of the time the run was open."""
IMPORT_S = 60.0
"""Maximum wait for MLflow's import, usually 2 to 5 s; the wait for the store starts after it."""
QUIET_S = 4.0
"""Seconds of waiting after which a message is printed."""
KILLED_S = 5.0
"""Maximum wait for a killed process: one that hangs in the kernel (dead network disk) stays."""


class UploadProcess:
    """Uploads a spool in a separate process, and limits how long the stage's end waits for it.

    MLflow takes seconds to import, and its database work would hold the GIL. A crash, a leak or a
    locked database stays in that process, and Ctrl-C in the terminal doesn't reach it. The stage
    writes to the process's standard input when it ends, and a kill closes it; the process closes
    its standard output once it has imported MLflow.

    Raises:
        OSError: the process can't be started.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ssdcore.tracking.sender", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
            start_new_session=True,
            bufsize=0,
        )

    def close(self, open_s: float, uri: str) -> None:
        """Waits until the process has uploaded all or leaves the rest; Ctrl-C ends the wait."""
        process = self._process
        assert process.stdin
        assert process.stdout
        text = f"Still sending to {uri}. Press Ctrl-C to skip; the next stage uploads the rest."
        message = Timer(QUIET_S, warn, [text])
        message.daemon = True
        with _until_ctrl_c():
            message.start()
            with suppress(BrokenPipeError):
                process.stdin.write(b"e")  # closing it has no effect while a child keeps it open
            if select([process.stdout], [], [], IMPORT_S)[0]:
                self._wait(max(PROMPT_S, SHARE * open_s))
        message.cancel()
        process.kill()
        self._wait(KILLED_S)
        process.stdin.close()
        process.stdout.close()

    def _wait(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)


@contextmanager
def _until_ctrl_c() -> Iterator[None]:
    """Ends the block at the first Ctrl-C, also in a stage that only notes it to stop later."""
    before = signal.getsignal(signal.SIGINT)
    with suppress(ValueError):  # only the main thread may set a handler
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
