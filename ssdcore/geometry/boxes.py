"""Box formats and overlap.

Inside the project a box is (y1, x1, y2, x2) in fractions of the image; every other format is
named after itself and converted where it enters or leaves.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating[Any]]
"""Coordinates (…, 4), or a value for each box; float32 but where a docstring says otherwise."""

AT_ONCE = 1 << 15
"""Pairs of boxes compared together: a few arrays of so many fit a processor's cache."""


def cyxhw_to_yxyx(boxes_cyxhw: Boxes) -> Boxes:
    """Converts centre and size (…, 4) to corners (…, 4), in the same units."""
    centre, half = boxes_cyxhw[..., :2], boxes_cyxhw[..., 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def yxyx_to_cyxhw(boxes_yxyx: Boxes) -> Boxes:
    """Converts corners (…, 4) to centre and size (…, 4), in the same units."""
    low, high = boxes_yxyx[..., :2], boxes_yxyx[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def xywh_px_to_yxyx(boxes_xywh_px: Boxes, height: int, width: int) -> Boxes:
    """Converts COCO's left, top, width, height in pixels (…, 4) to fractions of the image."""
    x, y, w, h = np.moveaxis(np.asarray(boxes_xywh_px, np.float64), -1, 0)
    corners = np.stack([y / height, x / width, (y + h) / height, (x + w) / width], axis=-1)
    return corners.astype(np.float32)


def yxyx_to_xywh_px(
    boxes_yxyx: Boxes, height: int | NDArray[np.integer[Any]], width: int | NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Converts fractions (…, 4) to COCO's left, top, width, height in pixels, float64.

    Height and width are one image's, or those (…,) of each box's image.
    """
    corners = np.asarray(boxes_yxyx, np.float64)
    low, high = corners[..., 1::-1], corners[..., :1:-1]
    sizes = np.stack([width, height, width, height], axis=-1)
    return np.concatenate([low, high - low], axis=-1) * sizes


def areas(boxes_yxyx: Boxes) -> Boxes:
    """Returns the areas (…,) of boxes (…, 4); a box with a negative side has area 0."""
    heights = boxes_yxyx[..., 2] - boxes_yxyx[..., 0]
    widths = boxes_yxyx[..., 3] - boxes_yxyx[..., 1]
    return np.maximum(heights, 0) * np.maximum(widths, 0)


def intersections(a_yxyx: Boxes, b_yxyx: Boxes) -> Boxes:
    """Returns the shared area (N, M) of each pair of boxes (N, 4) and (M, 4)."""
    shared = np.empty((len(a_yxyx), len(b_yxyx)), np.result_type(a_yxyx, b_yxyx))
    b_sides = np.ascontiguousarray(b_yxyx.T)
    for rows in _some_rows(shared):
        _intersect(a_yxyx[rows], b_sides, out=shared[rows])
    return shared


def iou(a_yxyx: Boxes, b_yxyx: Boxes) -> Boxes:
    """Returns the intersection over union (N, M) of boxes (N, 4) and (M, 4).

    Coordinates are continuous: no pixel is added to a side. Two boxes without area overlap by 0.
    """
    overlap = np.empty((len(a_yxyx), len(b_yxyx)), np.result_type(a_yxyx, b_yxyx))
    b_sides = np.ascontiguousarray(b_yxyx.T)
    a_areas, b_areas = areas(a_yxyx)[:, None], areas(b_yxyx)
    least = np.full_like(b_areas, np.finfo(np.float32).tiny)
    for rows in _some_rows(overlap):
        shared = overlap[rows]
        _intersect(a_yxyx[rows], b_sides, out=shared)
        union = a_areas[rows] + b_areas
        union -= shared
        np.maximum(union, least, out=union)
        shared /= union
    return overlap


def _some_rows(pairs: Boxes) -> Iterator[slice]:
    """Yields all rows of (N, M), some at a time.

    What is in between then stays in the processor's cache and in memory that the process has:
    several times as fast as all N · M at once.
    """
    count, others = pairs.shape
    step = max(1, AT_ONCE // max(1, others))
    for start in range(0, count, step):
        yield slice(start, start + step)


def _intersect(a_yxyx: Boxes, b_sides: Boxes, out: Boxes) -> None:
    """Writes the shared areas (n, M) of boxes (n, 4) and sides y1, x1, y2, x2 (4, M)."""
    a_y1, a_x1, a_y2, a_x2 = a_yxyx.T[:, :, None]
    b_y1, b_x1, b_y2, b_x2 = b_sides
    _shared_lengths(a_y1, a_y2, b_y1, b_y2, out=out)
    widths = np.empty_like(out)
    _shared_lengths(a_x1, a_x2, b_x1, b_x2, out=widths)
    out *= widths


def _shared_lengths(a_low: Boxes, a_high: Boxes, b_low: Boxes, b_high: Boxes, out: Boxes) -> None:
    """Writes the common lengths (n, M) of intervals with limits (n, 1) and (M,).

    NumPy compares two whole rows several times as fast as a row and a single value: hence the
    filled arrays and the row of zeros.
    """
    low = np.empty_like(out)
    low[:], out[:] = a_low, a_high
    np.maximum(low, b_low, out=low)
    np.minimum(out, b_high, out=out)
    out -= low
    np.maximum(out, np.zeros_like(b_low), out=out)
