"""Box formats.

Inside the project a box is (y1, x1, y2, x2) in fractions of the image. Every other format is
named after itself and converted where it enters or leaves.
"""

import cmath
from collections.abc import Sequence
from math import radians
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


def to_view(boxes_yxyx: Boxes, view_yxyx: Boxes) -> Boxes:
    """Converts boxes (…, 4) of an image to fractions of a view of it (…, 4), clipped to the view.

    A view is a part of the image, or reaches beyond it.
    """
    origin, size = _origin_and_size(view_yxyx)
    return np.clip((boxes_yxyx - origin) / size, 0, 1).astype(np.float32)


def from_view(boxes_yxyx: Boxes, view_yxyx: Boxes) -> Boxes:
    """Converts boxes (…, 4) of a view back to fractions of the image, clipped to the image."""
    origin, size = _origin_and_size(view_yxyx)
    return np.clip(boxes_yxyx * size + origin, 0, 1).astype(np.float32)


def around_rotated(
    xywh: Sequence[float], degrees: float, centre_xy: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Returns x, y, width and height around a box that is rotated clockwise around a point.

    Everything is in the same units, with y downwards, as labelling tools have it.
    """
    x, y, width, height = xywh
    if not degrees:
        return x, y, width, height
    turn = cmath.exp(1j * radians(degrees))
    centre = complex(*centre_xy)
    corners = [complex(a, b) for a in (x, x + width) for b in (y, y + height)]
    turned = [centre + (corner - centre) * turn for corner in corners]
    xs, ys = [corner.real for corner in turned], [corner.imag for corner in turned]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _origin_and_size(view_yxyx: Boxes) -> tuple[Boxes, Boxes]:
    low, high = view_yxyx[..., :2], view_yxyx[..., 2:]
    return np.concatenate([low, low], axis=-1), np.concatenate([high - low] * 2, axis=-1)


def xywh_px_to_yxyx(boxes_xywh_px: Boxes, height: int, width: int) -> Boxes:
    """Converts COCO's left, top, width, height in pixels (…, 4) to fractions of the image."""
    x, y, w, h = np.moveaxis(np.asarray(boxes_xywh_px, np.float64), -1, 0)
    corners = np.stack([y / height, x / width, (y + h) / height, (x + w) / width], axis=-1)
    return corners.astype(np.float32)


def yxyx_to_xywh_px(
    boxes_yxyx: Boxes, height: int | NDArray[np.integer[Any]], width: int | NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """Converts fractions (…, 4) to COCO's left, top, width, height in pixels, float64.

    Height and width are of one image, or (…,) of each box's image.
    """
    corners = np.asarray(boxes_yxyx, np.float64)
    low, high = corners[..., 1::-1], corners[..., :1:-1]
    sizes = np.stack([width, height, width, height], axis=-1)
    return np.concatenate([low, high - low], axis=-1) * sizes
