"""A detector in a separate process: both ends of the pipe.

MindSpore 2.8 aborts in a process in which MLflow has loaded Protocol Buffers first. So the served
model (MLflow) starts this module as a child process (MindSpore); the child never imports MLflow.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock

import numpy as np

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.messages import printable
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.photo_detector import PhotoResult, Source

LIBRARY = Path(__file__).parents[2]
"""The folder this library is imported from; the child must import the same one."""
EXIT_SECONDS = 10.0


class DetectorProcess:
    """Detects objects in photos; started at once, and restarted after it died.

    The child exits when this process does, however that ends.

    Args:
        checkpoint: the network.
        device: where it computes.
        batch_size: images in a batch.

    Raises:
        RunError: the child failed to start; stderr says why.
    """

    def __init__(self, checkpoint: Path, device: str, batch_size: int) -> None:
        self._arguments = [str(checkpoint.resolve()), device, str(batch_size)]
        self._lock = Lock()
        self._start()

    @property
    def classes(self) -> Sequence[CocoClass]:
        """The classes in the order of the labels 1 … C-1."""
        return self._classes

    def detect(self, photos: Sequence[Source], thresholds: Thresholds) -> list[PhotoResult]:
        """Returns each photo's result, without pixels; threads wait for each other.

        Raises:
            RunError: the child died.
        """
        with self._lock:
            if self._process.poll() is not None:
                self._start()
            return self._request(photos, thresholds)

    def close(self) -> None:
        """Ends the child."""
        self._pipe.close()
        self._process.wait(EXIT_SECONDS)

    def _request(self, photos: Sequence[Source], thresholds: Thresholds) -> list[PhotoResult]:
        try:
            self._pipe.send((photos, thresholds))
            results: list[PhotoResult] = self._pipe.recv()
        except (EOFError, OSError):
            raise self._died() from None
        return results

    def _start(self) -> None:
        self._pipe, child_end = Pipe()
        with child_end:
            command = [sys.executable, "-m", __name__, str(child_end.fileno())]
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                cwd=LIBRARY,  # -m searches it first
                pass_fds=[child_end.fileno()],
                start_new_session=True,  # Ctrl-C reaches the parent alone
            )
        try:
            self._classes: Sequence[CocoClass] = self._pipe.recv()
        except EOFError:
            raise self._died() from None

    def _died(self) -> RunError:
        self._pipe.close()
        status = self._process.wait(EXIT_SECONDS)
        return RunError(f"the detector's process ended with status {status}")


def run_child(pipe: Connection, checkpoint: Path, device: str, batch_size: int) -> None:
    """Sends the classes after compiling the network, then answers requests until EOF."""
    os.environ.setdefault("GLOG_v", "3")  # MindSpore warns about every missing accelerator

    from ssdcore.inference.detector import load_photo_detector
    from ssdcore.models.device import configure

    configure(device)  # type: ignore[arg-type] # MindSpore refuses unknown devices
    detector = load_photo_detector(checkpoint, batch_size)
    list(detector.detect([np.zeros((1, 1, 3), np.uint8)], Thresholds()))
    pipe.send(detector.classes)
    while True:
        try:
            photos, thresholds = pipe.recv()
        except EOFError:  # the parent is gone
            return
        pipe.send([result._replace(photo=None) for result in detector.detect(photos, thresholds)])


if __name__ == "__main__":
    descriptor, checkpoint, device, batch_size = sys.argv[1:]
    try:
        run_child(Connection(int(descriptor)), Path(checkpoint), device, int(batch_size))
    except InputError as error:
        sys.exit(printable(f"error: {error}"))
