"""Loads a checkpoint as a detector for photos."""

from pathlib import Path

from ssdcore.inference.detector import Detector
from ssdcore.inference.photo_detector import PhotoDetector
from ssdcore.models.checkpoint import load


def load_photo_detector(checkpoint: Path, batch_size: int, workers: int = 1) -> PhotoDetector:
    """Loads a detector for photos; call `ssdcore.models.device.configure` first.

    Args:
        checkpoint: written by `ssdcore.models.checkpoint.save`.
        batch_size: images per batch.
        workers: threads that decode.

    Raises:
        InputError: the file is no checkpoint of this project, or is damaged.
    """
    network, metadata = load(checkpoint)
    detector = Detector(network, metadata.default_boxes, metadata.loss, batch_size)
    return PhotoDetector(detector, metadata.default_boxes, metadata.classes, workers)
