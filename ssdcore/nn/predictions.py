"""A whole split through the detector, as COCO results; by one process or by a group."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssdcore.data.coco import CocoSplit
from ssdcore.detection.coco_results import CocoResults, to_results
from ssdcore.detection.decode import Detections, Thresholds
from ssdcore.nn.group import ALONE, Group
from ssdcore.nn.infer import Detector, Found
from ssdcore.nn.loader import InputBatch, input_batches
from ssdcore.nn.time_spent import TimeSpent


def predict_split(
    detector: Detector,
    shards: Sequence[Path],
    split: CocoSplit,
    thresholds: Thresholds,
    workers: int,
    group: Group = ALONE,
    around: Callable[[], None] = lambda: None,
    spent: TimeSpent | None = None,
) -> CocoResults:
    """Returns the detections in every picture of the shards, the same in every process.

    Args:
        detector: the network to ask.
        shards: the split's pictures.
        split: its annotation file, for ids and sizes.
        thresholds: which answers count.
        workers: threads that decode.
        group: the processes that share the pictures out; all have to call this.
        around: called before each batch; an exception of its own ends the work.
        spent: to add to what this process took for its share.
    """

    def watched() -> Iterator[InputBatch]:
        for batch in input_batches(shards, detector.batch_size, workers, group):
            around()
            yield batch

    found = detector.detect(watched(), thresholds, spent or TimeSpent())
    if group.size > 1:
        place_of = {image.id: place for place, image in enumerate(split.images)}
        table = _to_table(found, place_of, count(group.rank, group.size))
        found = _from_tables(group.gather(table), split)
    image_of = {image.id: image for image in split.images}
    everything = list(found)
    images = [image_of[one.image_id] for one in everything]
    return to_results(images, [one.detections for one in everything], split.classes)


def _to_table(
    found: Iterator[Found], place_of: dict[int, int], positions: Iterator[int]
) -> NDArray[np.float32]:
    """Returns (detections, 8): position in the shards, place in the split, label, score, box.

    Whole numbers up to 2²⁴ and float32 values go through unchanged; ids of 64 bits would not.
    """
    tables = [np.zeros((0, 8), np.float32)]
    for (image_id, detections), position in zip(found, positions, strict=False):
        rows = np.empty((len(detections.labels), 8), np.float32)
        rows[:, 0], rows[:, 1] = position, place_of[image_id]
        rows[:, 2], rows[:, 3] = detections.labels, detections.scores
        rows[:, 4:] = detections.boxes_yxyx
        tables.append(rows)
    return np.concatenate(tables)


def _from_tables(tables: Sequence[NDArray[np.float32]], split: CocoSplit) -> Iterator[Found]:
    """Yields the pictures with detections as one process would, in the order of the shards."""
    table = np.concatenate(tables)
    table = table[np.argsort(table[:, 0], kind="stable")]
    for rows in np.split(table, np.flatnonzero(np.diff(table[:, 0])) + 1):
        if len(rows):
            image = split.images[int(rows[0, 1])]
            detections = Detections(rows[:, 4:], rows[:, 2].astype(np.int32), rows[:, 3])
            yield Found(image.id, detections)
