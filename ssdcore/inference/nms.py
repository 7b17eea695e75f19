"""Greedy non-maximum suppression (NMS)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.iou import areas, iou

Indices = NDArray[np.intp]

FIRST_BLOCK, GROWTH, LARGEST_BLOCK = 8, 2, 256
"""Boxes per group that are compared in one step: at first, growth per step, maximum."""
PAIRS_AT_ONCE = 1 << 14
"""Pairs of boxes that are compared at once; the intermediate arrays then fit the CPU's cache."""


def nms(boxes: Boxes, scores: Boxes, iou_threshold: float, max_detections: int) -> Indices:
    """Repeatedly keeps the best box and drops all boxes that overlap it.

    Boxes (N, 4) are y1 x1 y2 x2, and continuous: no pixel is added to a side. A box is dropped if
    its IoU with a kept box is greater than the threshold. Of equal scores the earlier box comes
    first.

    Returns:
        Indices of the kept boxes, best first.
    """
    order = np.argsort(-scores, kind="stable")
    one_group = np.zeros(len(order), np.intp)
    return order[suppress(boxes[order], one_group, iou_threshold, max_detections)]


def suppress(
    boxes: Boxes, groups: NDArray[np.integer[Any]], iou_threshold: float, max_per_group: int
) -> Indices:
    """Runs NMS on many groups of boxes at once, such as the classes of several images.

    All groups advance together, each by a block of its best remaining boxes. First, a box is
    dropped if it overlaps a better box of its block; then all later boxes are dropped that
    overlap a kept box of the block. Each box is only compared with kept boxes and with its
    block, and there is no Python loop over boxes. Boxes (N, 4) y1 x1 y2 x2 are sorted by group, in
    ascending order, then best first. A box whose IoU with a kept box of its group is greater than
    the threshold is dropped, and a group keeps at most `max_per_group`.

    Returns:
        Indices of the kept boxes, ascending.
    """
    waiting = np.arange(len(boxes))
    kept = [waiting[:0]]
    number = np.cumsum(np.diff(groups, prepend=groups[:1]) != 0)
    counts = np.zeros(number.max(initial=-1) + 1, np.intp)
    block_size = FIRST_BLOCK
    while len(waiting):
        sizes = np.bincount(number[waiting], minlength=len(counts))
        block_sizes = np.minimum(sizes, np.minimum(block_size, max_per_group - counts))
        ends = np.cumsum(sizes)
        rank = np.arange(len(waiting)) - np.repeat(ends - sizes, sizes)
        in_block = rank < np.repeat(block_sizes, sizes)
        block, waiting = waiting[in_block], waiting[~in_block]
        block = block[_kept_in_block(boxes.take(block, axis=0), block_sizes, iou_threshold)]
        kept.append(block)
        group = number[block]
        counts += np.bincount(group, minlength=len(counts))
        sizes -= block_sizes
        ends = np.cumsum(sizes)
        starts = ends - sizes
        _, hit = overlapping(
            boxes.take(block, axis=0), boxes.take(waiting, axis=0),
            starts[group], ends[group], iou_threshold,
        )  # fmt: skip
        free = counts[number[waiting]] < max_per_group
        free[hit] = False
        waiting = waiting[free]
        block_size = min(block_size * GROWTH, LARGEST_BLOCK)
    return np.sort(np.concatenate(kept))


def _kept_in_block(boxes: Boxes, sizes: Indices, iou_threshold: float) -> NDArray[np.bool_]:
    """Marks the boxes (N,) that NMS keeps in groups of these sizes, each sorted best first.

    A box is dropped if a better box that is kept overlaps it. Only one marking satisfies this
    rule. Starting with "all are kept" and applying the rule until nothing changes finds it:
    after n rounds it is correct for chains of n overlapping boxes.
    """
    after = np.arange(1, len(boxes) + 1)
    ends = np.repeat(np.cumsum(sizes), sizes)
    better, worse = overlapping(boxes, boxes, after, ends, iou_threshold)
    keep = np.ones(len(boxes), bool)
    while True:
        following = np.ones(len(boxes), bool)
        following[worse[keep[better]]] = False
        if np.array_equal(following, keep):
            return keep
        keep = following


def overlapping(
    a: Boxes, b: Boxes, starts: Indices, stops: Indices, iou_threshold: float
) -> tuple[Indices, Indices]:
    """Compares each box of `a` (N, 4) with its own run of boxes of `b` (M, 4), y1 x1 y2 x2.

    A run is from the index `starts` (N,) in `b` to before `stops` (N,), which is not smaller.

    Returns:
        The indices in `a` and in `b` of each pair of an IoU greater than the threshold.
    """
    a_areas, b_areas = areas(a), areas(b)
    lengths = stops - starts
    ends = np.cumsum(lengths)
    shifts = ends - lengths - starts
    first, second = [ends[:0]], [ends[:0]]
    row, done = 0, 0
    while row < len(lengths):
        stop = max(row + 1, int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")))
        rows = np.repeat(np.arange(row, stop), lengths[row:stop])
        columns = np.arange(done, ends[stop - 1])
        columns -= shifts.take(rows)
        overlaps = iou(
            a.take(rows, axis=0), b.take(columns, axis=0), a_areas.take(rows), b_areas.take(columns)
        )
        over = np.flatnonzero(overlaps > iou_threshold)
        first.append(rows.take(over))
        second.append(columns.take(over))
        row, done = stop, int(ends[stop - 1])
    return np.concatenate(first), np.concatenate(second)
