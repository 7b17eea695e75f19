"""The classes of the shapes data set as outlines: pose, box, area and coverage of pixels.

Coordinates are continuous pixels (x, y): pixel (row, column) covers [column, column + 1) ×
[row, row + 1), so an image spans 0 to its width and 0 to its height.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Contour = NDArray[np.float64]  # (P, 2), x and y
Outline = tuple[Contour, ...]  # the outer contour, then its holes
Plane = NDArray[np.float32]  # (H, W)
Mask = NDArray[np.uint8]  # (H, W), 0 outside to 255 inside

ROUND_CORNERS = 96  # such a polygon, 200 px across, differs from its circle by 0.05 px
RING_HOLE = 0.58  # of the outer radius
STAR_WAIST = 0.42  # inner over outer radius; a pentagram has 0.38
CROSS_ARM = 0.34  # half the width of an arm over half the length of the cross
SUPERSAMPLING = 8  # OpenCV fills every pixel that an edge touches, here 1/16 px too much
FIXED_POINT_BITS = 6


def _corners_at(radii: NDArray[np.float64], first: float = -np.pi / 2) -> Contour:
    """Returns (P, 2) corners at `radii` (P,), evenly around the origin from angle `first`."""
    angles = first + np.linspace(0.0, 2 * np.pi, len(radii), endpoint=False)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _rotation(angle: float) -> NDArray[np.float64]:
    """Returns the (2, 2) matrix that rotates column vectors by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _cross() -> Contour:
    """Returns the twelve corners of a plus sign: one arm rotated four times."""
    arm = np.array([[CROSS_ARM, CROSS_ARM], [1.0, CROSS_ARM], [1.0, -CROSS_ARM]])
    return np.concatenate([arm @ _rotation(-quarter * np.pi / 2).T for quarter in range(4)])


UNIT_OUTLINES: dict[str, Outline] = {
    "circle": (_corners_at(np.ones(ROUND_CORNERS)),),
    "cross": (_cross(),),
    "ring": (_corners_at(np.ones(ROUND_CORNERS)), _corners_at(np.full(ROUND_CORNERS, RING_HOLE))),
    "square": (_corners_at(np.ones(4), first=-np.pi / 4),),
    "star": (_corners_at(np.tile([1.0, STAR_WAIST], 5)),),
    "triangle": (_corners_at(np.ones(3)),),
}
"""Outlines of the classes; no two look alike when rotated or foreshortened."""

CLASSES: tuple[str, ...] = tuple(UNIT_OUTLINES)


def posed(name: str, size_px: float, angle: float, squash: float, squash_angle: float) -> Outline:
    """Returns the class's outline rotated, foreshortened and scaled, its box centred on the origin.

    The longer side of its box is `size_px`. Foreshortening in the direction `squash_angle` leaves
    the fraction `squash` of the width. Angles are in radians.
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

    It can be smaller than the clipped box of the whole outline: a tip below the image does not
    widen it. Some of the outline must be inside the image, and it must not span the image.
    """
    start = outline[0]
    step = np.roll(start, -1, axis=0) - start
    step[step == 0] = 1e-9  # pixels: vertical and horizontal edges are divided by it
    # Liang and Barsky: an edge is inside from its last entry past a border to its first exit.
    crossings = np.stack([-start / step, ([width, height] - start) / step])
    entry = np.maximum(crossings.min(axis=0).max(axis=1), 0)
    leave = np.minimum(crossings.max(axis=0).min(axis=1), 1)
    kept = entry <= leave
    ends = np.concatenate([(start + t[:, None] * step)[kept] for t in (entry, leave)])
    box = np.concatenate([ends.min(axis=0), ends.max(axis=0)])
    return np.clip(box, 0, [width, height, width, height])  # removes rounding errors only


def area_px(outline: Outline) -> float:
    """Returns the area inside the outer contour and outside the holes, in the image or not."""
    outer, *holes = [float(cv2.contourArea(contour.astype(np.float32))) for contour in outline]
    return outer - sum(holes)


def window(outline: Outline, height: int, width: int) -> tuple[slice, slice]:
    """Returns the rows and columns of the image's pixels that the outline's box touches."""
    low = np.clip(np.floor(outline[0].min(axis=0)), 0, [width, height]).astype(int)
    high = np.clip(np.ceil(outline[0].max(axis=0)), 0, [width, height]).astype(int)
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    return slice(top, bottom), slice(left, right)


def coverage(outline: Outline, height: int, width: int) -> Plane:
    """Returns (H, W), the fraction of each pixel that lies inside the outline."""
    covered = np.zeros((height, width), np.float32)
    rows, cols = window(outline, height, width)
    if rows.start < rows.stop and cols.start < cols.stop:
        covered[rows, cols] = pixel_means(fine_mask(outline, rows, cols))
    return covered


def fine_mask(outline: Outline, rows: slice, cols: slice, edge_px: int = 0) -> Mask:
    """Returns the window of these rows and columns, with `SUPERSAMPLING` of each per pixel.

    The outline is filled, or its contours alone are drawn, `edge_px` fine pixels wide.
    """
    height, width = rows.stop - rows.start, cols.stop - cols.start
    mask = np.zeros((SUPERSAMPLING * height, SUPERSAMPLING * width), np.uint8)
    # OpenCV counts from the centre of the first pixel, outlines count from its corner: hence ½
    corner = np.array([cols.start, rows.start])
    fine = [SUPERSAMPLING * (contour - corner) - 0.5 for contour in outline]
    fixed = [np.rint(contour * 2**FIXED_POINT_BITS).astype(np.int32) for contour in fine]
    if edge_px:
        cv2.polylines(mask, fixed, True, 255, edge_px, shift=FIXED_POINT_BITS)
    else:
        cv2.fillPoly(mask, fixed, 255, shift=FIXED_POINT_BITS)
    return mask


def pixel_means(mask: Mask) -> Plane:
    """Returns the means of a fine mask over whole pixels, 0 to 1."""
    height, width = mask.shape[0] // SUPERSAMPLING, mask.shape[1] // SUPERSAMPLING
    means: Mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    return means.astype(np.float32) / 255
