"""Assigns objects to detections: overlaps and COCO's greedy matching, for all images at once.

The arithmetic of the overlaps is pycocotools' (maskApi.c, bbIou), operation by operation, in
float64, so that both decide alike at a threshold. Evaluation ignores crowds here; training ignores
them in `ssdcore.geometry.matching`.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.metrics import positions
from ssdcore.coco.results import CocoResults
from ssdcore.geometry.iou import intersections, iou

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

NOTHING = -1
MOST_DETECTIONS = 100
"""Maximum number of detections per class and image; COCO's protocol ignores the rest."""
AT_ONCE = 1 << 18
"""Pairs compared at once; limits the memory to tens of megabytes."""


class Truth(NamedTuple):
    """The objects of all images, M rows."""

    image: Ints  # (M,) the image's number
    label: Ints  # (M,) 1 … C-1
    crowd: Flags  # (M,) regions of many objects
    boxes_xywh: Floats  # (M, 4) left, top, width, height


class Found(NamedTuple):
    """The detections in all images, N rows."""

    image: Ints  # (N,) the image's number
    label: Ints  # (N,) 1 … C-1
    score: Floats  # (N,) 0 … 1
    boxes_xywh: Floats  # (N, 4) left, top, width, height, in the units of the objects

    @property
    def group(self) -> Ints:
        """A number (N,) for image and class; the detections of a group compete."""
        return self.image * (self.label.max(initial=0) + 1) + self.label

    def select(self, rows: Flags | Ints) -> "Found":
        """Returns the detections that a mask (N,) marks, or some rows in their order."""
        return Found(self.image[rows], self.label[rows], self.score[rows], self.boxes_xywh[rows])


class Pairs(NamedTuple):
    """Detections and objects that overlap, P rows."""

    detection: Ints  # (P,) row of the detection
    object: Ints  # (P,) row of the object
    overlap: Floats  # (P,) IoU; with a crowd region the share of the detection within it

    def select(self, rows: Flags | Ints | slice) -> "Pairs":
        """Returns the pairs that a mask (P,) marks, or some rows in their order."""
        return Pairs(self.detection[rows], self.object[rows], self.overlap[rows])


class Rounds(NamedTuple):
    """Pairs in the order of matching.

    Round r holds the r-th detection of each group, of those with pairs. They don't compete with
    each other, so a round is one step for all groups.
    """

    pairs: Pairs  # sorted by round, detection, rising overlap and object row
    position: Ints  # (P,) of the pair among those of its detection, from 0
    ends: list[int]  # where each round begins, and at last P


def compared(split: CocoSplit, results: CocoResults) -> tuple[Truth, Found]:
    """Returns the objects and detections that pycocotools would compare, in the files' order.

    Images are numbered in the order of their ids, and all of them count.

    Raises:
        InputError: a detection has an image or a category that the split does not know.
    """
    image_ids = np.sort(split.image_ids)
    class_ids = np.array([one.id for one in split.classes], np.int64)
    rows = split.annotations.compared()
    images = positions(image_ids, split.image_ids[rows.image])
    found = Found(
        positions(image_ids, results.image_ids),
        positions(class_ids, results.category_ids) + 1,
        results.scores,
        results.boxes_xywh_px,
    )
    best = ranks(found.group, found.score) < MOST_DETECTIONS
    return Truth(images, rows.label, rows.crowd, rows.boxes_xywh_px), found.select(best)


def matched(pairs: Pairs, truth: Truth, found: Found, minimum: float) -> tuple[Ints, Flags]:
    """Lets each detection take an object of its class that it overlaps by `minimum` or more.

    The pairs are those of `overlapping` with this or a smaller minimum.

    Returns:
        (N,) the row of the object taken, or `NOTHING`, and (N,) whether that is a crowd region.
    """
    same = truth.label[pairs.object] == found.label[pairs.detection]
    able = pairs.select(same & (pairs.overlap >= minimum))
    rounds = in_rounds(able, found.group, found.score)
    taken = take(rounds, np.array([minimum]), truth.crowd, truth.crowd, len(found.label))
    took = taken[:, 0].astype(np.int64)
    return took, (took != NOTHING) & np.append(truth.crowd, False)[took]


def overlapping(truth: Truth, found: Found, minimum: float) -> Pairs:
    """Returns the pairs in the same image that overlap by `minimum` or more, of any classes."""
    by_image = np.argsort(truth.image, kind="stable")
    images = truth.image[by_image]
    first = np.searchsorted(images, found.image, "left")
    count = np.searchsorted(images, found.image, "right") - first
    before = np.concatenate([[0], np.cumsum(count)])
    parts = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    start = 0
    while start < len(count):
        end = int(np.searchsorted(before, before[start] + AT_ONCE, "right")) - 1
        end = max(end, start + 1)  # an image of very many objects
        detection = np.repeat(np.arange(start, end), count[start:end])
        position = np.arange(before[start], before[end]) - before[detection]
        objects = by_image[first[detection] + position]
        overlap = _overlaps(
            found.boxes_xywh[detection], truth.boxes_xywh[objects], truth.crowd[objects]
        )
        parts.append(Pairs(detection, objects, overlap).select(overlap >= minimum))
        start = end
    return Pairs(*map(np.concatenate, zip(*parts, strict=True)))


def ranks(group: Ints, score: Floats) -> Ints:
    """Returns each row's position (N,) in its group by falling score, equals in their order."""
    order = np.lexsort((-score, group))
    position = np.empty(len(group), np.int64)
    position[order] = _positions_in_runs(group[order])
    return position


def in_rounds(pairs: Pairs, group: Ints, score: Floats) -> Rounds:
    """Sorts the pairs of detections and objects for `take`.

    The detections (N,) of a group compete, and the one of the highest score chooses first. Those of
    two groups share no object.
    """
    detections = np.unique(pairs.detection)
    round_of = np.zeros(len(group), np.int64)
    round_of[detections] = ranks(group[detections], score[detections])
    ordered = pairs.select(
        np.lexsort((pairs.object, pairs.overlap, pairs.detection, round_of[pairs.detection]))
    )
    number = round_of[ordered.detection]
    ends = np.searchsorted(number, np.arange(number.max(initial=-1) + 2)).tolist()
    return Rounds(ordered, _positions_in_runs(ordered.detection), ends)


def take(
    rounds: Rounds, thresholds: Floats, crowd: Flags, ignored: Flags, detections: int
) -> NDArray[np.int32]:
    """Lets each detection take the free object that it overlaps most, best score first.

    As in pycocotools: an object that counts is preferred to an ignored one whatever the overlap;
    a crowd region is never used up; of equal overlaps the later object is taken. The objects (M,)
    that don't count include the crowds; the thresholds are minimum overlaps.

    Returns:
        (N, T) the row of the object that each of N detections takes, or `NOTHING`.
    """
    taken = np.zeros((len(crowd), len(thresholds)), bool)
    result = np.full((detections, len(thresholds)), NOTHING, np.int32)
    counts = int(rounds.position.max(initial=0)) + 1
    preference = rounds.position + counts * ~ignored[rounds.pairs.object]
    for start, end in pairwise(rounds.ends):
        detection, objects, overlap = rounds.pairs.select(slice(start, end))
        free = ~taken[objects] | crowd[objects, None]
        able = free & (overlap[:, None] >= thresholds)
        firsts = _first_of_runs(detection)
        best = np.maximum.reduceat(np.where(able, preference[start:end, None], -1), firsts, axis=0)
        row, column = np.nonzero(best >= 0)
        chosen = objects[firsts[row] + best[row, column] % counts]
        taken[chosen, column] = True
        result[detection[firsts[row]], column] = chosen
    return result


def _first_of_runs(values: Ints) -> Ints:
    """Returns where each run of equal values begins."""
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])[: len(values)])


def _positions_in_runs(values: Ints) -> Ints:
    """Returns each value's position in its run of equal values, from 0."""
    firsts = _first_of_runs(values)
    return np.arange(len(values)) - np.repeat(firsts, np.diff(firsts, append=len(values)))


def _overlaps(detections: Floats, objects: Floats, crowd: Flags) -> Floats:
    detections_yxyx, objects_yxyx = _corners(detections), _corners(objects)
    area, object_area = (boxes[:, 2] * boxes[:, 3] for boxes in (detections, objects))
    overlap = iou(detections_yxyx, objects_yxyx, area, object_area)
    within = intersections(detections_yxyx[crowd], objects_yxyx[crowd])
    overlap[crowd] = np.divide(within, area[crowd], out=np.zeros_like(within), where=within > 0)
    return overlap


def _corners(boxes_xywh: Floats) -> Floats:
    x, y, w, h = boxes_xywh.T
    return np.stack([y, x, h + y, w + x], axis=1)
