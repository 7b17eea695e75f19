"""Validation during training: measures the present network on the whole validation split."""

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.metrics import evaluate
from ssdcore.coco.results import CocoResults
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector, Found, find_in_split, split_results
from ssdcore.training.distributed.group import Group
from ssdcore.training.setup import Training


def make_validation(
    training: Training,
    batch_size: int,
    split: CocoSplit,
    shards: Sequence[Path],
    workers: int,
    group: Group,
    on_batch: Callable[[], None],
    on_results: Callable[[CocoResults], None],
) -> Callable[[], dict[str, Any]]:
    """Returns a function that measures the network; its first call compiles.

    Args:
        training: provides the network, which continues to change.
        batch_size: images per batch.
        split: the validation split.
        shards: its images.
        workers: threads that decode.
        group: the processes that share the images.
        on_batch: called before each batch; an exception from it ends the measurement.
        on_results: receives the detections of every measurement.
    """
    metadata = training.metadata
    detector = Detector(training.network, metadata.default_boxes, metadata.loss, batch_size)

    def validate() -> dict[str, Any]:
        found = find_in_split(detector, shards, Thresholds(), workers, group, on_batch)
        results = split_results(gather_found(found, group), split)
        on_results(results)
        return evaluate(split, results)

    return validate


def gather_found(found: Iterable[Found], group: Group) -> list[Found]:
    """Returns the detections of all processes of the group, in the order of the shards.

    Every process must call it with the images of its share, which are every n-th of the shards.
    """
    in_turn = zip_longest(*group.gather(list(found)))
    return [one for of_all in in_turn for one in of_all if one is not None]
