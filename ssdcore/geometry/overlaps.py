"""The pairs of boxes that overlap by more than a threshold."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes, areas

Indices = NDArray[np.intp]

AT_ONCE = 1 << 14
"""Pairs compared together: the arrays in between then stay in the processor's cache."""
LEAST_UNION = float(np.finfo(np.float32).tiny)
"""Stands for the union of two boxes without area, which overlap by 0."""


class Sides(NamedTuple):
    """Boxes prepared for being compared many times.

    Attributes:
        outward: (N, 4) -y1 -x1 y2 x2. Of two boxes the lower values are those of their
            intersection, on all four sides.
        areas: (N,).
    """

    outward: Boxes
    areas: Boxes

    @classmethod
    def of(cls, boxes_yxyx: Boxes) -> "Sides":
        """Prepares boxes (N, 4) y1 x1 y2 x2."""
        outward = np.concatenate([-boxes_yxyx[:, :2], boxes_yxyx[:, 2:]], axis=1)
        return cls(outward, areas(boxes_yxyx))

    def take(self, indices: Indices) -> "Sides":
        """Returns the boxes of these indices."""
        return Sides(self.outward.take(indices, axis=0), self.areas.take(indices))


def overlapping(
    a: Sides, b: Sides, starts: Indices, stops: Indices, iou_threshold: float
) -> tuple[Indices, Indices]:
    """Compares each box of a with a run of those of b.

    Args:
        a: N boxes.
        b: M boxes.
        starts: (N,) where the run of each box of a begins in b.
        stops: (N,) where it ends, not before it begins.
        iou_threshold: pairs of a greater IoU are returned.

    Returns:
        The indices in a and in b of each such pair.
    """
    lengths = stops - starts
    ends = np.cumsum(lengths)
    shifts = ends - lengths - starts
    first, second = [ends[:0]], [ends[:0]]
    row, done = 0, 0
    while row < len(lengths):
        stop = max(row + 1, int(np.searchsorted(ends, done + AT_ONCE, side="right")))
        rows = np.repeat(np.arange(row, stop), lengths[row:stop])
        columns = np.arange(done, ends[stop - 1])
        columns -= shifts.take(rows)
        over = np.flatnonzero(paired_iou(a.take(rows), b.take(columns)) > iou_threshold)
        first.append(rows.take(over))
        second.append(columns.take(over))
        row, done = stop, int(ends[stop - 1])
    return np.concatenate(first), np.concatenate(second)


def paired_iou(a: Sides, b: Sides) -> NDArray[Any]:
    """Returns the intersection over union (P,) of each box of a with that of b at its place.

    The values are those of `ssdcore.geometry.boxes.iou`, bit for bit. Whole columns are computed
    with, for NumPy is slow where the innermost axis has two values or one operand has one.
    """
    inner = np.minimum(a.outward, b.outward)
    shared = inner[:, 0] + inner[:, 2]
    widths = inner[:, 1] + inner[:, 3]
    least = np.zeros_like(shared)
    np.maximum(shared, least, out=shared)
    shared *= np.maximum(widths, least, out=widths)
    union = a.areas + b.areas
    union -= shared
    least.fill(LEAST_UNION)
    shared /= np.maximum(union, least, out=union)
    return shared
