"""A whole split through the detector, as COCO results."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ssdcore.data.coco import CocoSplit
from ssdcore.detection.coco_results import to_results
from ssdcore.detection.decode import Thresholds
from ssdcore.nn.infer import Detector
from ssdcore.nn.loader import InputBatch, input_batches


def predict_split(
    detector: Detector,
    shards: Sequence[Path],
    split: CocoSplit,
    thresholds: Thresholds,
    workers: int,
    around: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Returns the detections in every picture of the shards.

    Args:
        detector: the network to ask.
        shards: the split's pictures.
        split: its annotation file, for ids and sizes.
        thresholds: which answers count.
        workers: threads that decode.
        around: called before each batch; an exception of its own ends the work.
    """
    images = {image.id: image for image in split.images}

    def watched() -> Iterator[InputBatch]:
        for batch in input_batches(shards, detector.batch_size, workers):
            around()
            yield batch

    return [
        result
        for image_id, detections in detector.detect(watched(), thresholds)
        for result in to_results(detections, images[image_id], split.classes)
    ]
