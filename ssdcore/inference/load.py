"""A checkpoint that is asked about photos."""

from pathlib import Path

from ssdcore.inference.detector import Detector
from ssdcore.inference.photo_detector import PhotoDetector
from ssdcore.models.checkpoint import load


def load_photo_detector(checkpoint: Path, batch_size: int, workers: int = 1) -> PhotoDetector:
    """Loads a network to find objects in photos; `ssdcore.models.device.configure` comes first.

    Args:
        checkpoint: as `ssdcore.models.checkpoint.save` wrote it.
        batch_size: images that the network computes together.
        workers: threads that decode.

    Raises:
        InputError: no checkpoint of this project, or a damaged one.
    """
    network, card = load(checkpoint)
    detector = Detector(network, card.default_boxes, card.loss, batch_size)
    return PhotoDetector(detector, card.default_boxes, card.classes, workers)
