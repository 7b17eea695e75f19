"""Which validation pictures to show: from the worst to the best, evenly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssdcore.data.sample import Objects
from ssdcore.detection.decode import Detections
from ssdcore.geometry.boxes import areas, intersections, iou


@dataclass(frozen=True)
class Tally:
    """What became of one picture's objects: found, missed, and detections of nothing."""

    hits: int
    misses: int
    extras: int

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + misses + extras); 1 where nothing was to find and nothing found."""
        total = 2 * self.hits + self.misses + self.extras
        return 2 * self.hits / total if total else 1.0


def image_tally(
    truth: Objects, found: Detections, score_threshold: float, iou_threshold: float = 0.5
) -> Tally:
    """Counts hits, misses and extras among detections with score ≥ `score_threshold`.

    By falling score each detection takes the free object of its class that it overlaps most,
    if the IoU is ≥ `iou_threshold`. As in COCO a crowd is neither a miss nor a hit, and a
    detection left over whose area lies in a crowd of its class to that share is not an extra.
    """
    order = np.argsort(-found.scores, kind="stable")
    order = order[found.scores[order] >= score_threshold]
    boxes, labels = found.boxes_yxyx[order], found.labels[order]
    same_class = labels[:, None] == truth.labels[None, :]
    overlap = np.where(same_class & ~truth.crowd, iou(boxes, truth.boxes_yxyx), 0)
    inside = intersections(boxes, truth.boxes_yxyx) / np.maximum(areas(boxes)[:, None], 1e-12)
    in_crowd = (same_class & truth.crowd & (inside >= iou_threshold)).any(axis=1)

    objects = int((~truth.crowd).sum())
    hits = extras = 0
    for row in range(len(boxes)):
        best = int(overlap[row].argmax()) if objects else 0
        if objects and overlap[row, best] >= iou_threshold:
            overlap[:, best] = 0  # taken
            hits += 1
        elif not in_crowd[row]:
            extras += 1
    return Tally(hits, misses=objects - hits, extras=extras)


def choose(f1: Sequence[float], count: int) -> list[int]:
    """Returns the indices of at most `count` pictures, evenly over the ranking by `f1`.

    The worst picture comes first and the best last; among equals the lower index ranks lower.
    """
    ranking = np.argsort(np.asarray(f1, np.float64), kind="stable")
    places = np.linspace(0, len(ranking) - 1, min(count, len(ranking)))
    return [int(index) for index in ranking[places.round().astype(int)]]
