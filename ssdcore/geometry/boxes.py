"""Box formats.

Inside the project a box is (y1, x1, y2, x2) in fractions of the image. Every other format is
named after itself and converted where it enters or leaves.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating[Any]]
"""Coordinates (…, 4), or one value per box (…,); float32 unless a docstring says otherwise."""


def cyxhw_to_yxyx(boxes_cyxhw: Boxes) -> Boxes:
    """Converts centre and size (…, 4) to corners (…, 4), in the same units."""
    centre, half = boxes_cyxhw[..., :2], boxes_cyxhw[..., 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def yxyx_to_cyxhw(boxes_yxyx: Boxes) -> Boxes:
    """Converts corners (…, 4) to centre and size (…, 4), in the same units."""
    low, high = boxes_yxyx[..., :2], boxes_yxyx[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def in_window(boxes_yxyx: Boxes, window_yxyx: Boxes) -> Boxes:
    """Converts boxes (N, 4) to fractions of a window (4,) of the image, clipped to it."""
    origin, size = window_yxyx[:2], window_yxyx[2:] - window_yxyx[:2]
    return np.clip((boxes_yxyx - np.tile(origin, 2)) / np.tile(size, 2), 0, 1).astype(np.float32)


def xywh_px_to_yxyx(boxes_xywh_px: Boxes, height: int, width: int) -> Boxes:
    """Converts COCO's left, top, width, height in pixels (…, 4) to fractions of the image."""
    x, y, w, h = np.moveaxis(np.asarray(boxes_xywh_px, np.float64), -1, 0)
    corners = np.stack([y / height, x / width, (y + h) / height, (x + w) / width], axis=-1)
    return corners.astype(np.float32)


def yxyx_to_xywh_px(
    boxes_yxyx: Boxes, height: int | NDArray[np.integer[Any]], width: int | NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Converts fractions (…, 4) to COCO's left, top, width, height in pixels, float64.

    Height and width are those of one image, or (…,) those of each box's image.
    """
    corners = np.asarray(boxes_yxyx, np.float64)
    low, high = corners[..., 1::-1], corners[..., :1:-1]
    sizes = np.stack([width, height, width, height], axis=-1)
    return np.concatenate([low, high - low], axis=-1) * sizes
