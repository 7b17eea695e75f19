"""Greedy non-maximum suppression."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.overlaps import Indices, Sides, overlapping

FIRST_BLOCK, GROWTH, LARGEST_BLOCK = 8, 2, 256
"""Boxes of a group that are looked at together, at first and at most."""


def nms(boxes: Boxes, scores: Boxes, iou_threshold: float, max_detections: int) -> Indices:
    """Keeps the best box, drops those that overlap it, and goes on with the rest.

    Coordinates are continuous (no pixel is added to a side); of equal scores the earlier comes
    first.

    Args:
        boxes: (N, 4) y1 x1 y2 x2.
        scores: (N,).
        iou_threshold: a box goes when its IoU with a kept one is greater.
        max_detections: how many to keep at most.

    Returns:
        Indices of the kept boxes, best first.
    """
    order = np.argsort(-scores, kind="stable")
    one_group = np.zeros(len(order), np.intp)
    return order[suppress(boxes[order], one_group, iou_threshold, max_detections)]


def suppress(
    boxes: Boxes, groups: NDArray[np.integer[Any]], iou_threshold: float, most: int
) -> Indices:
    """Does NMS in many groups of boxes at once, such as the classes of several images.

    All groups advance together, each by a block of its best boxes: those that overlap a better one
    of the block go, then all further ones that overlap one that was kept. So a box is compared
    with kept ones and those of its block alone, and no Python loop runs over boxes.

    Args:
        boxes: (N, 4) y1 x1 y2 x2, group after group, in each the best first.
        groups: (N,), never falling.
        iou_threshold: a box goes when its IoU with a kept one of its group is greater.
        most: how many to keep of a group.

    Returns:
        Indices of the kept boxes, rising.
    """
    sides = Sides.of(boxes)
    waiting = np.arange(len(boxes))
    kept = [waiting[:0]]
    number = np.cumsum(np.diff(groups, prepend=groups[:1]) != 0)
    counts = np.zeros(number.max(initial=-1) + 1, np.intp)
    size = FIRST_BLOCK
    while len(waiting):
        sizes = np.bincount(number[waiting], minlength=len(counts))
        block_sizes = np.minimum(sizes, np.minimum(size, most - counts))
        ends = np.cumsum(sizes)
        rank = np.arange(len(waiting)) - np.repeat(ends - sizes, sizes)
        in_block = rank < np.repeat(block_sizes, sizes)
        block, waiting = waiting[in_block], waiting[~in_block]
        block = block[_free_of_better(sides.take(block), block_sizes, iou_threshold)]
        kept.append(block)
        own = number[block]
        counts += np.bincount(own, minlength=len(counts))
        sizes -= block_sizes
        ends = np.cumsum(sizes)
        starts = ends - sizes
        _, hit = overlapping(
            sides.take(block), sides.take(waiting), starts[own], ends[own], iou_threshold
        )
        free = counts[number[waiting]] < most
        free[hit] = False
        waiting = waiting[free]
        size = min(size * GROWTH, LARGEST_BLOCK)
    return np.sort(np.concatenate(kept))


def _free_of_better(boxes: Sides, sizes: Indices, iou_threshold: float) -> NDArray[np.bool_]:
    """Returns which of N boxes NMS keeps in groups of these sizes, in each the best first.

    A box goes when a better one stays that it overlaps. The answer is the only one that agrees
    with itself: going from "all stay" to what follows from it, again and again, reaches it. After
    n rounds all are right that depend on chains of n.
    """
    count = len(boxes.areas)
    after = np.arange(1, count + 1)
    ends = np.repeat(np.cumsum(sizes), sizes)
    better, worse = overlapping(boxes, boxes, after, ends, iou_threshold)
    stays = np.ones(count, bool)
    while True:
        following = np.ones(count, bool)
        following[worse[stays[better]]] = False
        if np.array_equal(following, stays):
            return stays
        stays = following
