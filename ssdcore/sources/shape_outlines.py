"""The classes of the shapes data set as outlines, and how an outline is posed in an image.

Coordinates are continuous pixels (x, y): pixel (row, column) covers [column, column + 1) ×
[row, row + 1), so an image spans 0 to its width and 0 to its height.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Contour = NDArray[np.float64]  # (P, 2), x and y
Outline = tuple[Contour, ...]  # the outer contour, then its holes

ROUND_CORNERS = 96  # at 200 px across, such a polygon leaves its circle by 0.05 px
RING_HOLE = 0.58  # of the outer radius
STAR_WAIST = 0.42  # inner over outer radius; a pentagram has 0.38
CROSS_ARM = 0.34  # half an arm's breadth over half the cross's length


def _corners_at(radii: NDArray[np.float64], first: float = -np.pi / 2) -> Contour:
    """Returns (P, 2) corners at `radii` (P,), evenly round the origin from angle `first`."""
    angles = first + np.linspace(0.0, 2 * np.pi, len(radii), endpoint=False)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _cross() -> Contour:
    """Returns the twelve corners of a plus sign, one arm turned four times."""
    arm = np.array([[CROSS_ARM, CROSS_ARM], [1.0, CROSS_ARM], [1.0, -CROSS_ARM]])
    return np.concatenate([arm @ _rotation(-quarter * np.pi / 2).T for quarter in range(4)])


def _rotation(angle: float) -> NDArray[np.float64]:
    """Returns the (2, 2) matrix that turns column vectors by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


UNIT_OUTLINES: dict[str, Outline] = {
    "circle": (_corners_at(np.ones(ROUND_CORNERS)),),
    "cross": (_cross(),),
    "ring": (
        _corners_at(np.ones(ROUND_CORNERS)),
        _corners_at(np.full(ROUND_CORNERS, RING_HOLE)),
    ),
    "square": (_corners_at(np.ones(4), first=-np.pi / 4),),
    "star": (_corners_at(np.tile([1.0, STAR_WAIST], 5)),),
    "triangle": (_corners_at(np.ones(3)),),
}
"""No two become alike when turned or seen at a slant."""

CLASSES: tuple[str, ...] = tuple(UNIT_OUTLINES)


def posed(name: str, size_px: float, angle: float, squash: float, squash_angle: float) -> Outline:
    """Returns the class's outline turned, slanted and scaled, its box centred on the origin.

    Args:
        name: one of `CLASSES`.
        size_px: the longer side of the outline's box.
        angle: the turn, in radians.
        squash: the share of its breadth that is left after foreshortening, 0 to 1.
        squash_angle: the direction of that foreshortening, in radians.
    """
    foreshortening = _rotation(squash_angle) @ np.diag([1.0, squash]) @ _rotation(-squash_angle)
    contours = [contour @ (foreshortening @ _rotation(angle)).T for contour in UNIT_OUTLINES[name]]
    low, high = contours[0].min(axis=0), contours[0].max(axis=0)
    scale = size_px / (high - low).max()
    return tuple(scale * (contour - (low + high) / 2) for contour in contours)


def moved(outline: Outline, by_xy: NDArray[np.float64]) -> Outline:
    """Returns the outline shifted by `by_xy` (2,) pixels."""
    return tuple(contour + by_xy for contour in outline)


def box_xyxy_px(outline: Outline, height: int, width: int) -> NDArray[np.float64]:
    """Returns the (4,) box that is tight around the part of the outline inside the image.

    That can be less than the whole outline's box, clipped: a tip beyond the lower border does not
    widen it. Some of the outline must be inside, and it must not span the image.
    """
    start = outline[0]
    step = np.roll(start, -1, axis=0) - start
    step[step == 0] = 1e-9  # pixels: an upright or level edge is divided by it
    # Liang and Barsky: an edge is inside from its last entry past a border to its first exit.
    crossings = np.stack([-start / step, ([width, height] - start) / step])
    entry = np.maximum(crossings.min(axis=0).max(axis=1), 0)
    leave = np.minimum(crossings.max(axis=0).min(axis=1), 1)
    kept = entry <= leave
    ends = np.concatenate([(start + t[:, None] * step)[kept] for t in (entry, leave)])
    box = np.concatenate([ends.min(axis=0), ends.max(axis=0)])
    return np.clip(box, 0, [width, height, width, height])  # only rounding errors are left to clip


def area_px(outline: Outline) -> float:
    """Returns the area inside the outer contour and outside the holes, in or out of the image."""
    outer, *holes = [float(cv2.contourArea(contour.astype(np.float32))) for contour in outline]
    return outer - sum(holes)
