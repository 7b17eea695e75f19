"""The measurement while training: the network as it stands, over the whole validation split."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ssdcore import layout
from ssdcore.data.coco import CocoSplit
from ssdcore.detection.coco_metrics import evaluate
from ssdcore.detection.coco_results import CocoResults
from ssdcore.detection.decode import Thresholds
from ssdcore.nn.group import Group
from ssdcore.nn.infer import Detector
from ssdcore.nn.predictions import predict_split
from ssdcore.nn.training import Training


def make_validation(
    training: Training,
    batch_size: int,
    val: CocoSplit,
    shards: Sequence[Path],
    workers: int,
    group: Group,
    around: Callable[[], None],
    heard: Callable[[CocoResults], None] = lambda results: None,
) -> Callable[[], dict[str, Any]]:
    """Returns what measures the training's network; compiled once, at the first call.

    Args:
        training: whose network, which goes on changing.
        batch_size: pictures at a time.
        val: the annotation file.
        shards: its pictures.
        workers: threads that decode.
        group: the processes that share the pictures out.
        around: called before each batch; an exception of its own ends the measurement.
        heard: told of every measurement's detections.
    """
    card = training.card
    detector = Detector(training.network, card.default_boxes, card.loss, batch_size)

    def validate() -> dict[str, Any]:
        results = predict_split(detector, shards, val, Thresholds(), workers, group, around)
        heard(results)
        return evaluate(layout.annotations("val"), results)

    return validate
