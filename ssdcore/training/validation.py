"""Validation during training: measures the present network on the whole validation split."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.metrics import evaluate
from ssdcore.coco.results import CocoResults, Detections
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector, Found
from ssdcore.inference.split import find_in_split, split_results
from ssdcore.training.distributed.group import Group
from ssdcore.training.setup import Training


def make_validation(
    training: Training,
    batch_size: int,
    annotations: Path,
    split: CocoSplit,
    shards: Sequence[Path],
    workers: int,
    group: Group,
    on_batch: Callable[[], None],
    on_results: Callable[[CocoResults], None] = lambda results: None,
) -> Callable[[], dict[str, Any]]:
    """Returns a function that measures the network; its first call compiles.

    Args:
        training: provides the network, which continues to change.
        batch_size: images per batch.
        annotations: the annotation file.
        split: its content.
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
        results = split_results(gather_found(found, split, group), split)
        on_results(results)
        return evaluate(annotations, results)

    return validate


def gather_found(found: Iterable[Found], split: CocoSplit, group: Group) -> Iterable[Found]:
    """Returns the detections of all processes of the group, in the order of the shards.

    Every process must call it with the images of its share.
    """
    if group.size == 1:
        return found
    index_of = {image.id: index for index, image in enumerate(split.images)}
    table = _to_table(found, index_of, count(group.rank, group.size))
    return _from_tables(group.gather(table), split)


def _to_table(
    found: Iterable[Found], index_of: dict[int, int], positions: Iterator[int]
) -> NDArray[np.float32]:
    """Returns (detections, 8): position in the shards, index in the split, label, score, box.

    float32 holds whole numbers up to 2²⁴ exactly, but not 64-bit image ids.
    """
    tables = [np.zeros((0, 8), np.float32)]
    for (image_id, detections), position in zip(found, positions, strict=False):
        rows = np.empty((len(detections.labels), 8), np.float32)
        rows[:, 0], rows[:, 1] = position, index_of[image_id]
        rows[:, 2], rows[:, 3] = detections.labels, detections.scores
        rows[:, 4:] = detections.boxes_yxyx
        tables.append(rows)
    return np.concatenate(tables)


def _from_tables(tables: Sequence[NDArray[np.float32]], split: CocoSplit) -> Iterator[Found]:
    """Yields the images with detections in the order of the shards, as one process would."""
    table = np.concatenate(tables)
    table = table[np.argsort(table[:, 0], kind="stable")]
    for rows in np.split(table, np.flatnonzero(np.diff(table[:, 0])) + 1):
        if len(rows):
            image = split.images[int(rows[0, 1])]
            detections = Detections(rows[:, 4:], rows[:, 2].astype(np.int32), rows[:, 3])
            yield Found(image.id, detections)
