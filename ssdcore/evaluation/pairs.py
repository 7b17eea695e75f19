"""Which detections overlap which objects, over all images at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.iou import intersections, iou

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

AT_ONCE = 1 << 18
"""Pairs compared at once; limits the memory to tens of megabytes."""


class Truth(NamedTuple):
    """The objects of all images, M rows.

    Attributes:
        image: (M,) the image's number.
        label: (M,) 1 … C-1.
        crowd: (M,) regions of many objects.
        boxes_xywh: (M, 4) left, top, width, height.
    """

    image: Ints
    label: Ints
    crowd: Flags
    boxes_xywh: Floats


class Found(NamedTuple):
    """The detections in all images, N rows.

    Attributes:
        image: (N,) the image's number.
        label: (N,) 1 … C-1.
        score: (N,) 0 … 1.
        boxes_xywh: (N, 4) left, top, width, height, in the units of the objects.
    """

    image: Ints
    label: Ints
    score: Floats
    boxes_xywh: Floats

    def select(self, keep: Flags) -> "Found":
        """Returns the detections that `keep` (N,) marks."""
        return Found(self.image[keep], self.label[keep], self.score[keep], self.boxes_xywh[keep])


class Pairs(NamedTuple):
    """Detections and objects that overlap, P rows.

    Attributes:
        detection: (P,) row of the detection.
        object: (P,) row of the object.
        overlap: (P,) IoU; with a crowd region the share of the detection within it.
    """

    detection: Ints
    object: Ints
    overlap: Floats

    def select(self, keep: Flags) -> "Pairs":
        """Returns the pairs that `keep` (P,) marks."""
        return Pairs(self.detection[keep], self.object[keep], self.overlap[keep])


def overlapping(truth: Truth, found: Found, minimum: float) -> Pairs:
    """Returns the pairs in the same image that overlap by `minimum` or more, of any classes.

    The arithmetic is pycocotools' (maskApi.c, bbIou), operation by operation, in float64, so both
    decide alike at a threshold.
    """
    by_image = np.argsort(truth.image, kind="stable")
    images = truth.image[by_image]
    first = np.searchsorted(images, found.image, "left")
    count = np.searchsorted(images, found.image, "right") - first
    before = np.concatenate([[0], np.cumsum(count)])
    parts = []
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
    if not parts:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    return Pairs(*map(np.concatenate, zip(*parts, strict=True)))


def competition(found: Found) -> tuple[Ints, Ints]:
    """Returns each detection's group (N,), its image and class, and its rank (N,) within it."""
    group = found.image * (found.label.max(initial=0) + 1) + found.label
    return group, ranks(group, found.score)


def ranks(group: Ints, score: Floats) -> Ints:
    """Returns each row's position (N,) in its group by falling score, equals in their order."""
    order = np.lexsort((-score, group))
    ordered = group[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1)) if len(ordered) else ordered
    lengths = np.diff(starts, append=len(ordered))
    position = np.empty(len(group), np.int64)
    position[order] = np.arange(len(group)) - np.repeat(starts, lengths)
    return position


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
