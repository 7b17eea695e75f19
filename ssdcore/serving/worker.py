"""The process that holds the network of a served model: reads photos from a pipe, writes answers.

MindSpore 2.8 ends a process in which MLflow has loaded Protocol Buffers before it. So the two have
a process each; this one does not import MLflow.
"""

import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from ssdcore.inference.decode import Thresholds


def serve(pipe: Connection, checkpoint: Path, device: str, batch_size: int) -> None:
    """Sends the classes when the network is compiled, then an answer to each request, till EOF."""
    os.environ.setdefault("GLOG_v", "3")  # MindSpore warns of every accelerator that is not there

    from ssdcore.inference.load import load_photo_detector
    from ssdcore.models.device import configure

    configure(device)  # type: ignore[arg-type] # MindSpore judges what is no device
    detector = load_photo_detector(checkpoint, batch_size)
    list(detector.detect([np.zeros((1, 1, 3), np.uint8)], Thresholds()))
    pipe.send(detector.classes)
    while True:
        try:
            photos, thresholds = pipe.recv()
        except EOFError:  # whoever asked is gone
            return
        pipe.send(list(detector.detect(photos, thresholds)))


if __name__ == "__main__":
    descriptor, checkpoint, device, batch_size = sys.argv[1:]
    serve(Connection(int(descriptor)), Path(checkpoint), device, int(batch_size))
