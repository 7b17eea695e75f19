"""Areas and overlaps of boxes: the only place that computes an intersection over union.

Boxes are y1 x1 y2 x2, all in the same unit. Coordinates are continuous: no pixel is added to a
side. Shapes broadcast: (N, 1, 4) with (M, 4) gives all pairs (N, M), (P, 4) with (P, 4) gives P
values.
"""

import numpy as np

from ssdcore.geometry.boxes import Boxes

PAIRS_AT_ONCE = 1 << 15
"""Pairs that `iou_matrix` compares at once; the intermediate arrays then fit the CPU's cache."""


def areas(boxes_yxyx: Boxes) -> Boxes:
    """Returns the areas (…,) of boxes (…, 4); a box with a negative side has area 0."""
    heights = boxes_yxyx[..., 2] - boxes_yxyx[..., 0]
    widths = boxes_yxyx[..., 3] - boxes_yxyx[..., 1]
    return np.maximum(heights, 0) * np.maximum(widths, 0)


def intersections(a_yxyx: Boxes, b_yxyx: Boxes) -> Boxes:
    """Returns the shared area (…,) of boxes (…, 4) and (…, 4)."""
    shared = _shared_lengths(a_yxyx, b_yxyx, axis=0)
    shared *= _shared_lengths(a_yxyx, b_yxyx, axis=1)
    return shared


def iou(
    a_yxyx: Boxes, b_yxyx: Boxes, a_areas: Boxes | None = None, b_areas: Boxes | None = None
) -> Boxes:
    """Returns the intersection over union (…,) of boxes (…, 4) and (…, 4) of one float type.

    Two boxes without area have an IoU of 0. Areas (…,) that are known are not computed again.
    """
    shared = intersections(a_yxyx, b_yxyx)
    union = (areas(a_yxyx) if a_areas is None else a_areas) + (
        areas(b_yxyx) if b_areas is None else b_areas
    )
    union = np.subtract(union, shared, dtype=shared.dtype)
    smallest = np.full(union.shape[-1:], np.finfo(union.dtype).tiny, union.dtype)
    shared /= np.maximum(union, smallest, out=union)
    return shared


def iou_matrix(a_yxyx: Boxes, b_yxyx: Boxes) -> Boxes:
    """Returns the IoU (N, M) of all pairs of boxes (N, 4) and (M, 4), a few rows at a time."""
    overlaps = np.empty((len(a_yxyx), len(b_yxyx)), np.result_type(a_yxyx, b_yxyx))
    rows = max(1, PAIRS_AT_ONCE // max(1, len(b_yxyx)))
    for start in range(0, len(a_yxyx), rows):
        some = slice(start, start + rows)
        overlaps[some] = iou(a_yxyx[some, None], b_yxyx)
    return overlaps


def iou_of_sides(a_hw: Boxes, b_hw: Boxes, apart_yx: Boxes | float) -> Boxes:
    """Returns the intersection over union (N,) of boxes that need no places in an image.

    They have sides, (2, N) or (2, 1), and distances (2, N) between their centres along y and x. Two
    boxes without area have no IoU.
    """
    heights, widths = np.clip((a_hw + b_hw) / 2 - apart_yx, 0, np.minimum(a_hw, b_hw))
    shared = heights * widths
    overlaps: Boxes = shared / (a_hw[0] * a_hw[1] + b_hw[0] * b_hw[1] - shared)
    return overlaps


def _shared_lengths(a_yxyx: Boxes, b_yxyx: Boxes, axis: int) -> Boxes:
    """Returns the common lengths (…,) along y (axis 0) or x (axis 1).

    The copies and the row of zeros look wasteful, but NumPy compares whole rows several times
    as fast as a row and a single value.
    """
    shape = np.broadcast_shapes(a_yxyx.shape[:-1], b_yxyx.shape[:-1])
    dtype = np.result_type(a_yxyx, b_yxyx)
    low = np.broadcast_to(a_yxyx[..., axis], shape).astype(dtype)
    high = np.broadcast_to(a_yxyx[..., axis + 2], shape).astype(dtype)
    np.maximum(low, b_yxyx[..., axis], out=low)
    np.minimum(high, b_yxyx[..., axis + 2], out=high)
    high -= low
    return np.maximum(high, np.zeros(shape[-1:], dtype), out=high)
