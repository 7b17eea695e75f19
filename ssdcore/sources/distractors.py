"""Things in an image that belong to no class: curves, arcs, blobs, bands and scribbles.

None may pass for an object of a class. Ranges that bear no name were set by eye.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.sources.textures import Planes, random_colour

Mask = NDArray[np.uint8]  # (H, W), 0 outside to 255 inside
Points = NDArray[np.float64]  # (P, 2), x and y in continuous pixels

FIXED_POINT_BITS = 4
FEWEST, MOST = 2, 8  # in one image
OPACITY = (0.25, 0.95)
CURVE_POINTS = 24
BLOB_WAVES = 5  # harmonics of a blob's radius, from the second on: they keep it from being round


def scatter(rng: np.random.Generator, canvas: Planes) -> None:
    """Draws 3 to 12 distractors of random kinds and colours onto `canvas` (3, H, W), in place."""
    for _ in range(rng.integers(FEWEST, MOST + 1)):
        mask = np.zeros(canvas.shape[1:], np.uint8)
        KINDS[rng.integers(len(KINDS))](rng, mask)
        colour = random_colour(rng, saturation=(0.0, 1.0), brightness=(0.1, 1.0))
        left, top, width, height = cv2.boundingRect(mask)
        share = mask[top : top + height, left : left + width] / np.float32(255)
        ground = canvas[:, top : top + height, left : left + width]
        ground += rng.uniform(*OPACITY) * share * (colour - ground)


def _curve(rng: np.random.Generator, mask: Mask) -> None:
    """Draws a line that bends more or less on its way."""
    turns = rng.uniform(0, 0.25) * rng.standard_normal(CURVE_POINTS).cumsum()
    steps = rng.uniform(2, 16) * _directions(rng.uniform(0, 2 * np.pi) + turns)
    _stroke(mask, _somewhere(rng, mask) + steps.cumsum(axis=0), int(rng.integers(1, 5)))


def _arc(rng: np.random.Generator, mask: Mask) -> None:
    """Draws at most half a ring, so that none passes for a whole one."""
    angles = rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.uniform(0.4, 1) * np.pi, CURVE_POINTS)
    radius = rng.uniform(8, 60)
    thickness = 1 + int(radius * rng.uniform(0.05, 0.3))
    _stroke(mask, _somewhere(rng, mask) + radius * _directions(angles), thickness)


def _blob(rng: np.random.Generator, mask: Mask) -> None:
    """Fills an uneven closed curve, with a soft edge half of the time."""
    angles = np.linspace(0, 2 * np.pi, 4 * CURVE_POINTS, endpoint=False)
    radii = np.ones_like(angles)
    for wave in range(2, 2 + BLOB_WAVES):
        radii += rng.uniform(0.3, 0.8) / wave * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    _fill(mask, _somewhere(rng, mask) + rng.uniform(5, 40) * radii[:, None] * _directions(angles))
    if rng.random() < 0.5:
        cv2.GaussianBlur(mask, (0, 0), rng.uniform(1, 5), dst=mask)


def _band(rng: np.random.Generator, mask: Mask) -> None:
    """Fills a tapering strip, at least four times as long as broad."""
    length = rng.uniform(30, 300)
    left, right = length / 8 * rng.uniform(0.1, 1, 2)
    corners = np.array([[-length / 2, left], [length / 2, right]])
    corners = np.concatenate([corners, corners[::-1] * [1, -1]])
    along, across = _directions(rng.uniform(0, 2 * np.pi) + np.array([0, np.pi / 2]))
    _fill(mask, _somewhere(rng, mask) + corners @ np.stack([along, across]))


def _scribble(rng: np.random.Generator, mask: Mask) -> None:
    """Draws one to three rows of zigzags, like a signature seen from too far to be read."""
    origin, letter_height = _somewhere(rng, mask), rng.uniform(5, 14)
    along, across = _directions(rng.uniform(-0.4, 0.4) + np.array([0, np.pi / 2]))
    for row in range(rng.integers(1, 4)):
        strokes = int(rng.integers(8, 40))
        right = letter_height * rng.uniform(0, 0.5, strokes).cumsum()
        down = letter_height * (1.6 * row + rng.uniform(0, 1, strokes))
        points = origin + right[:, None] * along + down[:, None] * across
        for word in np.split(points, range(6, strokes, 6)):
            _stroke(mask, word, 1)


KINDS: tuple[Callable[[np.random.Generator, Mask], None], ...] = (
    _curve,
    _arc,
    _blob,
    _band,
    _scribble,
)


def _somewhere(rng: np.random.Generator, mask: Mask) -> Points:
    """Returns a point (2,), x and y, in the image."""
    return rng.uniform(0, mask.shape[::-1])


def _directions(angles: NDArray[np.float64]) -> Points:
    """Returns the unit vectors (P, 2) at `angles` (P,) radians."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _fixed(points: Points) -> NDArray[np.int32]:
    """Returns the points in OpenCV's fixed point."""
    return np.rint(points * 2**FIXED_POINT_BITS).astype(np.int32)


def _stroke(mask: Mask, points: Points, thickness: int) -> None:
    cv2.polylines(mask, [_fixed(points)], False, 255, thickness, cv2.LINE_AA, FIXED_POINT_BITS)


def _fill(mask: Mask, points: Points) -> None:
    cv2.fillPoly(mask, [_fixed(points)], 255, cv2.LINE_AA, FIXED_POINT_BITS)
