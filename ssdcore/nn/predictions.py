"""A whole split through the detector, as COCO results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssdcore.data.coco import CocoSplit
from ssdcore.detection.coco_results import to_results
from ssdcore.detection.decode import Thresholds
from ssdcore.nn.infer import Detector
from ssdcore.nn.loader import input_batches


def predict_split(
    detector: Detector,
    shards: Sequence[Path],
    split: CocoSplit,
    thresholds: Thresholds,
    workers: int,
) -> list[dict[str, Any]]:
    """Returns the detections in every picture of the shards.

    Args:
        detector: the network to ask.
        shards: the split's pictures.
        split: its annotation file, for ids and sizes.
        thresholds: which answers count.
        workers: threads that decode.
    """
    images = {image.id: image for image in split.images}
    batches = input_batches(shards, detector.batch_size, workers)
    return [
        result
        for image_id, detections in detector.detect(batches, thresholds)
        for result in to_results(detections, images[image_id], split.classes)
    ]
