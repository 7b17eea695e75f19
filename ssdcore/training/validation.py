"""Validation during training: measures the present network on the whole validation split."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.metrics import evaluate
from ssdcore.coco.operating_point import MATCH_IOU, UNMEASURED_SCORE, best_f1_threshold
from ssdcore.coco.results import CocoResults
from ssdcore.core.signals import Signals
from ssdcore.data.loader import InputBatch, input_batches
from ssdcore.inference.decode import VALIDATION
from ssdcore.inference.detector import Detector, Found, TimeSpent, split_results
from ssdcore.models.metadata import ScoreThreshold
from ssdcore.training.distributed.group import Group
from ssdcore.training.setup import Training


def make_validation(
    training: Training,
    batch_size: int,
    split: CocoSplit,
    shards: Sequence[Path],
    workers: int,
    group: Group,
    signals: Signals,
    on_results: Callable[[CocoResults, float], None],
) -> Callable[[], dict[str, Any]]:
    """Returns a function that measures the network; its first call compiles.

    It returns the figures of `ssdcore.coco.metrics.evaluate` and `score_threshold`, a
    `ScoreThreshold`, or None if no detection is correct.

    The processes of the group share the images in `shards`. `on_results` receives the detections of
    every measurement, and the minimum score of those to show.

    The function raises `Stopped` in all processes if one has received a stop signal. They decide it
    together before each batch: one that stopped alone would leave the others waiting for it.
    """
    metadata = training.metadata
    detector = Detector(training.network, metadata, batch_size)

    def batches() -> Iterator[InputBatch]:
        for batch in input_batches(shards, batch_size, workers, group, detector.network_input):
            meet(has_batch=True)
            yield batch
        while meet(has_batch=False):
            pass

    def meet(*, has_batch: bool) -> bool:
        """Returns whether any process still has a batch; ends the measurement on a stop."""
        signals.arm()
        stop, goes_on = group.any(signals.stop is not None, has_batch)
        if stop and goes_on:
            raise signals.stopped()
        return goes_on

    def validate() -> dict[str, Any]:
        found = detector.detect(batches(), VALIDATION, TimeSpent())
        results = split_results(gather_found(found, group), split, metadata.classes)
        threshold = score_threshold(results, split)
        on_results(results, threshold.score if threshold else UNMEASURED_SCORE)
        return evaluate(split, results) | {"score_threshold": threshold}

    return validate


def score_threshold(results: CocoResults, split: CocoSplit) -> ScoreThreshold | None:
    """Returns the threshold of detections that `VALIDATION` allowed; None if none is correct."""
    score = best_f1_threshold(split, results)
    if score is None:
        return None
    return ScoreThreshold(
        score=score, split="val", images=len(split.images), nms_iou=VALIDATION.nms_iou,
        match_iou=MATCH_IOU,
    )  # fmt: skip


def gather_found(found: Iterable[Found], group: Group) -> list[Found]:
    """Returns the detections of all processes of the group, in the order of the shards.

    Every process must call it with the images of its share, which are every n-th of the shards.
    """
    in_turn = zip_longest(*group.gather(list(found)))
    return [one for of_all in in_turn for one in of_all if one is not None]
