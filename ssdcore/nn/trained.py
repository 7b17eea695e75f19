"""A checkpoint that is asked about photos."""

from pathlib import Path

from ssdcore.detection.photo_detector import PhotoDetector
from ssdcore.nn.checkpoint import load
from ssdcore.nn.infer import Detector


def load_photo_detector(checkpoint: Path, batch_size: int, workers: int = 1) -> PhotoDetector:
    """Loads a network to find objects in photos; `ssdcore.nn.runtime.configure` comes first.

    Args:
        checkpoint: as `ssdcore.nn.checkpoint.save` wrote it.
        batch_size: pictures that the network computes together.
        workers: threads that decode.

    Raises:
        InputError: no checkpoint of this project, or a damaged one.
    """
    network, card = load(checkpoint)
    detector = Detector(network, card.default_boxes, card.loss, batch_size)
    return PhotoDetector(detector, card.default_boxes, card.classes, workers)
