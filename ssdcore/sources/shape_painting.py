"""Paints the images of the shapes data set: background, distractors, objects, camera.

While it is painted, an image is (3, H, W) planes of RGB in [0, 1] as float32 and a colour is
(3, 1, 1): they blend with (H, W) weights without further axes, three times faster than (H, W, 3).
Ranges without a name were chosen by eye.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.sources.shape_outlines import (
    Mask,
    Outline,
    Plane,
    coverage,
    fine_mask,
    moved,
    pixel_means,
    window,
)

Planes = NDArray[np.float32]  # (3, H, W); a colour is (3, 1, 1)
Points = NDArray[np.float64]  # (P, 2), x and y in continuous pixels

OCTAVES = 5
COARSEST_CELLS = 2.0  # across the longer side of the image, in the first octave
MAX_STRETCH = 5.0  # of a texture along one axis, as in wood or grass
MAX_SURFACES = 3  # in one image
BACKGROUND_SATURATION = (0.1, 0.75)  # objects have a wider range
BACKGROUND_BRIGHTNESS = (0.2, 0.9)

DISTRACTORS = (2, 8)  # in one image
DISTRACTOR_OPACITY = (0.25, 0.95)
CURVE_POINTS = 24
BLOB_WAVES = 5  # harmonics of a blob's radius, from the second on: they keep it from being round
FIXED_POINT_BITS = 4

MIN_CONTRAST = 0.6  # Euclidean RGB distance to the mean background; black to white is √3
COLOUR_TRIES = 12
STRIPES = (2.0, 6.0)  # pairs of stripes across an object
RIM_PROBABILITY = 0.35
RIM_WIDTH = 0.03  # of the longer side of the object's box
SHADOW_REACH = 0.07  # of the longer side of the object's box


def random_colour(
    rng: np.random.Generator, saturation: tuple[float, float], brightness: tuple[float, float]
) -> Planes:
    """Returns an RGB colour (3, 1, 1) of any hue, with HSV saturation and value in these ranges."""
    hsv = np.array([rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*brightness)])
    rgb: Planes = cv2.cvtColor(hsv.astype(np.float32)[None, None], cv2.COLOR_HSV2RGB)
    return rgb.reshape(3, 1, 1)


def _noise(rng: np.random.Generator, height: int, width: int, roughness: float) -> Plane:
    """Returns (H, W) fractal noise around 0, within about ±1.

    The roughness is the amplitude of each octave over that of the previous one, 0 to 1.
    """
    stretch_y, stretch_x = rng.uniform(1.0, MAX_STRETCH, 2) ** rng.integers(0, 2, 2)
    field = np.zeros((height, width), np.float32)
    amplitudes = roughness ** np.arange(OCTAVES)
    for octave, amplitude in enumerate((amplitudes / amplitudes.sum()).tolist()):
        cells = COARSEST_CELLS * 2**octave / max(height, width)
        grid_hw = (2 + int(cells * height * stretch_y), 2 + int(cells * width * stretch_x))
        grid = rng.uniform(-amplitude, amplitude, grid_hw).astype(np.float32)
        field += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return field


def _ramp(height: int, width: int, angle: float) -> Plane:
    """Returns (H, W) values that rise from about -1 to 1 in the direction `angle` (radians)."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y


def _surface(rng: np.random.Generator, height: int, width: int) -> Planes:
    """Returns a material (3, H, W): two colours mixed by noise, brightened by finer noise."""
    first, second = (
        random_colour(rng, BACKGROUND_SATURATION, BACKGROUND_BRIGHTNESS) for _ in range(2)
    )
    mix: Plane = 0.5 + rng.uniform(0.2, 0.8) * _noise(rng, height, width, rng.uniform(0.4, 0.8))
    relief: Plane = rng.uniform(0.05, 0.3) * _noise(rng, height, width, rng.uniform(0.7, 1.0))
    return first + relief + mix * (second - first)


def background(rng: np.random.Generator, height: int, width: int) -> Planes:
    """Returns (3, H, W), one to three textured surfaces that meet along uneven edges."""
    canvas = _surface(rng, height, width)
    for _ in range(rng.integers(0, MAX_SURFACES)):
        slope = _ramp(height, width, rng.uniform(0, 2 * np.pi)) + rng.uniform(-0.7, 0.7)
        slope += rng.uniform(0, 0.5) * _noise(rng, height, width, roughness=0.5)
        weight = np.clip(0.5 + slope / rng.uniform(0.01, 0.15), 0, 1)
        canvas += weight * (_surface(rng, height, width) - canvas)
    return np.clip(canvas, 0, 1)


def photographed(rng: np.random.Generator, scene: Planes) -> NDArray[np.uint8]:
    """Returns the scene (3, H, W) as an RGB image (H, W, 3) with uneven light, blur and grain."""
    height, width = scene.shape[1:]
    light = 1 + rng.uniform(0, 0.25) * _ramp(height, width, rng.uniform(0, 2 * np.pi))
    vignette = rng.uniform(0, 0.15) * (
        _ramp(height, width, 0.0) ** 2 + _ramp(height, width, np.pi / 2) ** 2
    )
    blur_px = rng.uniform(0.2, 0.9)
    grain = rng.uniform(0.005, 0.035) * rng.standard_normal((height, width), np.float32)
    planes = [
        cv2.GaussianBlur(plane, (0, 0), blur_px) + grain for plane in scene * (light - vignette)
    ]
    return np.rint(255 * np.clip(np.stack(planes, axis=-1), 0, 1)).astype(np.uint8)


def draw_distractors(rng: np.random.Generator, canvas: Planes) -> None:
    """Draws distractors, which resemble no class, onto `canvas` (3, H, W), in place."""
    fewest, most = DISTRACTORS
    for _ in range(rng.integers(fewest, most + 1)):
        mask = np.zeros(canvas.shape[1:], np.uint8)
        KINDS[rng.integers(len(KINDS))](rng, mask)
        colour = random_colour(rng, saturation=(0.0, 1.0), brightness=(0.1, 1.0))
        left, top, width, height = cv2.boundingRect(mask)
        weight = mask[top : top + height, left : left + width] / np.float32(255)
        under = canvas[:, top : top + height, left : left + width]
        under += rng.uniform(*DISTRACTOR_OPACITY) * weight * (colour - under)


def _curve(rng: np.random.Generator, mask: Mask) -> None:
    """Draws a bent line."""
    turns = rng.uniform(0, 0.25) * rng.standard_normal(CURVE_POINTS).cumsum()
    steps = rng.uniform(2, 16) * _directions(rng.uniform(0, 2 * np.pi) + turns)
    _draw(mask, _random_point(rng, mask) + steps.cumsum(axis=0), int(rng.integers(1, 5)))


def _arc(rng: np.random.Generator, mask: Mask) -> None:
    """Draws at most half a ring, which does not pass for a whole one."""
    angles = rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.uniform(0.4, 1) * np.pi, CURVE_POINTS)
    radius = rng.uniform(8, 60)
    thickness = 1 + int(radius * rng.uniform(0.05, 0.3))
    _draw(mask, _random_point(rng, mask) + radius * _directions(angles), thickness)


def _blob(rng: np.random.Generator, mask: Mask) -> None:
    """Fills an uneven closed curve; half of them have a soft edge."""
    angles = np.linspace(0, 2 * np.pi, 4 * CURVE_POINTS, endpoint=False)
    radii = np.ones_like(angles)
    for wave in range(2, 2 + BLOB_WAVES):
        radii += rng.uniform(0.3, 0.8) / wave * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    centre = _random_point(rng, mask)
    _draw(mask, centre + rng.uniform(5, 40) * radii[:, None] * _directions(angles))
    if rng.random() < 0.5:
        cv2.GaussianBlur(mask, (0, 0), rng.uniform(1, 5), dst=mask)


def _band(rng: np.random.Generator, mask: Mask) -> None:
    """Fills a tapering strip, at least four times as long as wide."""
    length = rng.uniform(30, 300)
    left, right = length / 8 * rng.uniform(0.1, 1, 2)
    corners = np.array([[-length / 2, left], [length / 2, right]])
    corners = np.concatenate([corners, corners[::-1] * [1, -1]])
    along, across = _directions(rng.uniform(0, 2 * np.pi) + np.array([0, np.pi / 2]))
    _draw(mask, _random_point(rng, mask) + corners @ np.stack([along, across]))


def _scribble(rng: np.random.Generator, mask: Mask) -> None:
    """Draws one to three rows of zigzags, like illegible handwriting."""
    origin, letter_height = _random_point(rng, mask), rng.uniform(5, 14)
    along, across = _directions(rng.uniform(-0.4, 0.4) + np.array([0, np.pi / 2]))
    for row in range(rng.integers(1, 4)):
        strokes = int(rng.integers(8, 40))
        right = letter_height * rng.uniform(0, 0.5, strokes).cumsum()
        down = letter_height * (1.6 * row + rng.uniform(0, 1, strokes))
        points = origin + right[:, None] * along + down[:, None] * across
        for word in np.split(points, range(6, strokes, 6)):
            _draw(mask, word, 1)


KINDS = (_curve, _arc, _blob, _band, _scribble)


def _random_point(rng: np.random.Generator, mask: Mask) -> Points:
    """Returns a point (2,), x and y, in the image."""
    return rng.uniform(0, mask.shape[::-1])


def _directions(angles: NDArray[np.float64]) -> Points:
    """Returns the unit vectors (P, 2) at `angles` (P,) radians."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _draw(mask: Mask, points: Points, thickness: int = 0) -> None:
    """Draws the line through the points, or fills their polygon if `thickness` is 0."""
    fixed = [np.rint(points * 2**FIXED_POINT_BITS).astype(np.int32)]
    if thickness:
        cv2.polylines(mask, fixed, False, 255, thickness, cv2.LINE_AA, FIXED_POINT_BITS)
    else:
        cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, FIXED_POINT_BITS)


def cast_shadow(canvas: Planes, outline: Outline, direction: float, depth: float) -> None:
    """Darkens `canvas` (3, H, W), in place, by the soft shadow of an object that is still to paint.

    The shadow falls in a direction in radians, and takes the fraction `depth` of the light.
    """
    height, width = canvas.shape[1:]
    rows, cols = window(outline, height, width)
    reach = SHADOW_REACH * max(rows.stop - rows.start, cols.stop - cols.start)
    offset = reach * np.array([np.cos(direction), np.sin(direction)])
    covered = coverage(moved(outline, offset), height, width)
    shadow: Plane = cv2.GaussianBlur(covered, (0, 0), 0.5 + reach / 3)
    canvas *= 1 - depth * shadow


def paint(rng: np.random.Generator, canvas: Planes, outline: Outline) -> None:
    """Paints an object onto `canvas` (3, H, W), in place; pixels outside it do not change.

    The colour contrasts with the background and is independent of the class. Some of the outline
    must be inside the image.
    """
    rows, cols = window(outline, *canvas.shape[1:])
    inside = fine_mask(outline, rows, cols)
    weight = pixel_means(inside)
    under = canvas[:, rows, cols]
    mean_under = (weight * under).sum((1, 2), keepdims=True) / weight.sum()
    colour = contrasting_colour(rng, mean_under)
    darkening = FILLS[rng.integers(len(FILLS))](rng, *weight.shape)
    under += weight * (np.clip(colour * (1 - darkening), 0, 1) - under)
    if rng.random() < RIM_PROBABILITY:
        # twice as wide, since the outer half is cut away
        edge_px = 1 + round(RIM_WIDTH * 2 * max(inside.shape))
        rim = pixel_means(fine_mask(outline, rows, cols, edge_px) & inside)
        under += rim * (rng.uniform(0.0, 0.5) * colour + rng.choice([0.0, 0.5]) - under)


def contrasting_colour(rng: np.random.Generator, background: Planes) -> Planes:
    """Returns the first random colour (3, 1, 1) with enough contrast, or that of the most."""
    colours = np.stack([random_colour(rng, (0.2, 1.0), (0.15, 1.0)) for _ in range(COLOUR_TRIES)])
    contrasts = np.linalg.norm((colours - background)[..., 0, 0], axis=1)
    best: Planes = colours[np.argmax(np.minimum(contrasts, MIN_CONTRAST))]
    return best


def _plain(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Returns no darkening (H, W)."""
    return np.zeros((height, width), np.float32)


def _graded(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Returns a darkening (H, W) that grows steadily from one side to the other."""
    return rng.uniform(0.1, 0.3) * _ramp(height, width, rng.uniform(0, 2 * np.pi))


def _mottled(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Returns a darkening (H, W) with the blotches of an uneven material."""
    return rng.uniform(0.3, 0.7) * _noise(rng, height, width, roughness=0.8)


def _striped(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Returns a darkening (H, W) in soft parallel stripes."""
    across = _ramp(height, width, rng.uniform(0, 2 * np.pi))
    waves = np.sin(np.pi * rng.uniform(*STRIPES) * across + rng.uniform(0, 2 * np.pi))
    return np.float32(rng.uniform(0.1, 0.3)) * waves


FILLS: tuple[Callable[[np.random.Generator, int, int], Plane], ...] = (
    _plain,
    _graded,
    _mottled,
    _striped,
)
