"""A detector in a process of its own, for a process in which MindSpore can't be loaded."""

import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import Pipe
from pathlib import Path
from threading import Lock

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import RunError
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import Seen
from ssdcore.inference.photos import Source

LIBRARY = Path(__file__).parents[2]
"""The folder from which this library is imported; the process has to have the same one."""
ENDING_S = 10.0


class DetectorProcess:
    """Finds objects in photos; started at once, and again where it has died.

    It ends when this process does, however that ends.

    Args:
        checkpoint: the network.
        device: where it computes.
        batch_size: images that it computes together.

    Raises:
        RunError: it can't be started; stderr says why.
    """

    def __init__(self, checkpoint: Path, device: str, batch_size: int) -> None:
        self._arguments = [str(checkpoint.resolve()), device, str(batch_size)]
        self._lock = Lock()
        self._start()

    @property
    def classes(self) -> Sequence[CocoClass]:
        """The classes in the order of the labels 1 … C-1."""
        return self._classes

    def detect(self, photos: Sequence[Source], thresholds: Thresholds) -> list[Seen]:
        """Returns what is found in each photo; callers from several threads take turns.

        Raises:
            RunError: the process died of it.
        """
        with self._lock:
            if self._process.poll() is not None:
                self._start()
            return self._ask(photos, thresholds)

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.wait(ENDING_S)

    def _ask(self, photos: Sequence[Source], thresholds: Thresholds) -> list[Seen]:
        try:
            self._pipe.send((photos, thresholds))
            answers: list[Seen] = self._pipe.recv()
        except (EOFError, OSError):
            raise self._died() from None
        return answers

    def _start(self) -> None:
        self._pipe, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-m", "ssdcore.serving.worker", str(theirs.fileno())]
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                cwd=LIBRARY,  # where -m looks first
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for us, and our end is its end
            )
        try:
            self._classes: Sequence[CocoClass] = self._pipe.recv()
        except EOFError:
            raise self._died() from None

    def _died(self) -> RunError:
        self._pipe.close()
        status = self._process.wait(ENDING_S)
        return RunError(f"the detector's process ended with status {status}")
