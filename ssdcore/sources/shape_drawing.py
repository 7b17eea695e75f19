"""Paints a posed outline onto a ground: its coverage, its fill, its rim and its shadow."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.sources.shape_outlines import Outline, moved
from ssdcore.sources.textures import Plane, Planes, cloud, ramp, random_colour

SUPERSAMPLING = 8  # OpenCV fills every pixel that an edge touches, here 1/16 px too much
FIXED_POINT_BITS = 6
LEAST_CONTRAST = 0.6  # Euclidean RGB distance to the ground's mean; black to white is √3
COLOUR_TRIES = 12
STRIPES = (2.0, 6.0)  # pairs of stripes across an object
RIM_CHANCE = 0.35
RIM_SHARE = 0.03  # of the window's longer side
SHADOW_REACH = 0.07  # of the window's longer side


def window(outline: Outline, height: int, width: int) -> tuple[slice, slice]:
    """Returns the rows and columns of the image's pixels that the outline's extent touches."""
    low = np.clip(np.floor(outline[0].min(axis=0)), 0, [width, height]).astype(int)
    high = np.clip(np.ceil(outline[0].max(axis=0)), 0, [width, height]).astype(int)
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    return slice(top, bottom), slice(left, right)


def coverage(outline: Outline, height: int, width: int) -> Plane:
    """Returns (H, W), the share of each pixel that lies inside the outline, 0 to 1."""
    covered = np.zeros((height, width), np.float32)
    rows, cols = window(outline, height, width)
    if rows.start < rows.stop and cols.start < cols.stop:
        covered[rows, cols] = _averaged(_filled(outline, rows, cols))
    return covered


def paint(rng: np.random.Generator, canvas: Planes, outline: Outline) -> None:
    """Paints an object onto `canvas` (3, H, W), in place, and changes no pixel outside it.

    The colour stands out from the ground beneath and tells nothing of the class. The outline must
    reach into the image.
    """
    rows, cols = window(outline, *canvas.shape[1:])
    inside = _filled(outline, rows, cols)
    share = _averaged(inside)
    ground = canvas[:, rows, cols]
    mean_ground = (share * ground).sum((1, 2), keepdims=True) / share.sum()
    colour = contrasting_colour(rng, mean_ground)
    ground += share * (FILLS[rng.integers(len(FILLS))](rng, colour, *share.shape) - ground)
    if rng.random() < RIM_CHANCE:
        rim = _averaged(_edge(outline, rows, cols) & inside)
        ground += rim * (rng.uniform(0.0, 0.5) * colour + rng.choice([0.0, 0.5]) - ground)


def cast_shadow(canvas: Planes, outline: Outline, away_from_light: float, depth: float) -> None:
    """Darkens `canvas` (3, H, W), in place, where the object's soft shadow falls.

    Args:
        canvas: the scene before the object itself is painted.
        outline: the object.
        away_from_light: the direction in which shadows fall, in radians.
        depth: the share of the light that the shadow takes, 0 to 1.
    """
    height, width = canvas.shape[1:]
    rows, cols = window(outline, height, width)
    reach = SHADOW_REACH * max(rows.stop - rows.start, cols.stop - cols.start)
    offset = reach * np.array([np.cos(away_from_light), np.sin(away_from_light)])
    shaded: Plane = cv2.GaussianBlur(
        coverage(moved(outline, offset), height, width), (0, 0), 0.5 + reach / 3
    )
    canvas *= 1 - depth * shaded


def contrasting_colour(rng: np.random.Generator, ground: Planes) -> Planes:
    """Returns the first of some random colours (3, 1, 1) to stand out, or the nearest to it."""
    colours = np.stack([random_colour(rng, (0.2, 1.0), (0.15, 1.0)) for _ in range(COLOUR_TRIES)])
    contrasts = np.linalg.norm((colours - ground)[..., 0, 0], axis=1)
    best: Planes = colours[np.argmax(np.minimum(contrasts, LEAST_CONTRAST))]
    return best


def _plain(rng: np.random.Generator, colour: Planes, height: int, width: int) -> Planes:
    return np.broadcast_to(colour, (3, height, width))


def _graded(rng: np.random.Generator, colour: Planes, height: int, width: int) -> Planes:
    """Returns a fill that darkens steadily from one side to the other."""
    darkening = rng.uniform(0.1, 0.3) * ramp(height, width, rng.uniform(0, 2 * np.pi))
    return _shaded(colour, darkening)


def _mottled(rng: np.random.Generator, colour: Planes, height: int, width: int) -> Planes:
    """Returns a fill with the blotches of an uneven material."""
    return _shaded(colour, rng.uniform(0.3, 0.7) * cloud(rng, height, width, roughness=0.8))


def _striped(rng: np.random.Generator, colour: Planes, height: int, width: int) -> Planes:
    """Returns a fill with soft parallel stripes of darker and lighter colour."""
    across = ramp(height, width, rng.uniform(0, 2 * np.pi))
    waves = np.sin(np.pi * rng.uniform(*STRIPES) * across + rng.uniform(0, 2 * np.pi))
    return _shaded(colour, np.float32(rng.uniform(0.1, 0.3)) * waves)


FILLS: tuple[Callable[[np.random.Generator, Planes, int, int], Planes], ...] = (
    _plain,
    _graded,
    _mottled,
    _striped,
)


def _shaded(colour: Planes, darkening: Plane) -> Planes:
    """Returns (3, H, W), the colour with `darkening` (H, W) taken off as a share of it."""
    return np.clip(colour * (1 - darkening), 0, 1)


def _filled(outline: Outline, rows: slice, cols: slice) -> NDArray[np.uint8]:
    """Returns the window at the fine resolution, 255 inside the outline and 0 outside."""
    fine = _fine_window(rows, cols)
    cv2.fillPoly(fine, _fine_contours(outline, rows, cols), 255, shift=FIXED_POINT_BITS)
    return fine


def _edge(outline: Outline, rows: slice, cols: slice) -> NDArray[np.uint8]:
    """Returns the window at the fine resolution, 255 along the outline's contours."""
    fine = _fine_window(rows, cols)
    thickness = 1 + round(RIM_SHARE * 2 * max(fine.shape))  # its outer half will be cut away
    contours = _fine_contours(outline, rows, cols)
    cv2.polylines(fine, contours, True, 255, thickness, shift=FIXED_POINT_BITS)
    return fine


def _fine_window(rows: slice, cols: slice) -> NDArray[np.uint8]:
    height, width = rows.stop - rows.start, cols.stop - cols.start
    return np.zeros((SUPERSAMPLING * height, SUPERSAMPLING * width), np.uint8)


def _fine_contours(outline: Outline, rows: slice, cols: slice) -> list[NDArray[np.int32]]:
    """Returns the contours in the fine window and in OpenCV's fixed point.

    OpenCV counts from the first pixel's centre where outlines count from its corner: hence ½.
    """
    corner = np.array([cols.start, rows.start])
    fine = [SUPERSAMPLING * (contour - corner) - 0.5 for contour in outline]
    return [np.rint(contour * 2**FIXED_POINT_BITS).astype(np.int32) for contour in fine]


def _averaged(fine: NDArray[np.uint8]) -> Plane:
    """Returns the fine window's means over whole pixels, 0 to 1."""
    height, width = fine.shape[0] // SUPERSAMPLING, fine.shape[1] // SUPERSAMPLING
    mean: NDArray[np.uint8] = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return mean.astype(np.float32) / 255
