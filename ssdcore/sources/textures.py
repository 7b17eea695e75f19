"""Grounds that look photographed: noise in several octaves, surfaces, light, blur and grain.

Images in the making are planes (3, H, W) of RGB in [0, 1] as float32, colours (3, 1, 1): so
they blend under shares (H, W) without further axes, and three times faster than (H, W, 3).
Ranges that bear no name were set by eye.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]  # (H, W)
Planes = NDArray[np.float32]  # (3, H, W); a colour is (3, 1, 1)

OCTAVES = 5
COARSEST_CELLS = 2.0  # across the image's longer side, in the first octave
LONGEST_GRAIN = 5.0  # how far a texture may be drawn out along one axis, as in wood or grass
MOST_SURFACES = 3  # in one image
SATURATION = (0.1, 0.75)  # of the ground; objects reach further
BRIGHTNESS = (0.2, 0.9)


def random_colour(
    rng: np.random.Generator, saturation: tuple[float, float], brightness: tuple[float, float]
) -> Planes:
    """Returns one RGB colour (3, 1, 1) of any hue, its HSV saturation and value in these ranges."""
    hsv = np.array([rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*brightness)])
    rgb: Planes = cv2.cvtColor(hsv.astype(np.float32)[None, None], cv2.COLOR_HSV2RGB)
    return rgb.reshape(3, 1, 1)


def cloud(rng: np.random.Generator, height: int, width: int, roughness: float) -> Plane:
    """Returns (H, W) fractal noise around 0, within about ±1.

    Args:
        rng: the source of the noise.
        height: H in pixels.
        width: W in pixels.
        roughness: the amplitude of each octave over that of the one before, 0 to 1.
    """
    stretch_y, stretch_x = rng.uniform(1.0, LONGEST_GRAIN, 2) ** rng.integers(0, 2, 2)
    field = np.zeros((height, width), np.float32)
    amplitudes = roughness ** np.arange(OCTAVES)
    for octave, amplitude in enumerate((amplitudes / amplitudes.sum()).tolist()):
        cells = COARSEST_CELLS * 2**octave / max(height, width)
        grid_hw = (2 + int(cells * height * stretch_y), 2 + int(cells * width * stretch_x))
        grid = rng.uniform(-amplitude, amplitude, grid_hw).astype(np.float32)
        field += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return field


def ramp(height: int, width: int, angle: float) -> Plane:
    """Returns (H, W) values that rise from about -1 to 1 in the direction `angle` (radians)."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y


def surface(rng: np.random.Generator, height: int, width: int) -> Planes:
    """Returns one material (3, H, W): two colours mingled by noise, brightened by finer noise."""
    first, second = (random_colour(rng, SATURATION, BRIGHTNESS) for _ in range(2))
    mingling: Plane = 0.5 + rng.uniform(0.2, 0.8) * cloud(rng, height, width, rng.uniform(0.4, 0.8))
    relief: Plane = rng.uniform(0.05, 0.3) * cloud(rng, height, width, rng.uniform(0.7, 1.0))
    return first + relief + mingling * (second - first)


def backdrop(rng: np.random.Generator, height: int, width: int) -> Planes:
    """Returns a ground (3, H, W) of one to three surfaces that meet along wavering edges."""
    ground = surface(rng, height, width)
    for _ in range(rng.integers(0, MOST_SURFACES)):
        slope = ramp(height, width, rng.uniform(0, 2 * np.pi)) + rng.uniform(-0.7, 0.7)
        slope += rng.uniform(0, 0.5) * cloud(rng, height, width, roughness=0.5)
        share = np.clip(0.5 + slope / rng.uniform(0.01, 0.15), 0, 1)
        ground += share * (surface(rng, height, width) - ground)
    return np.clip(ground, 0, 1)


def photographed(rng: np.random.Generator, scene: Planes) -> NDArray[np.uint8]:
    """Returns what a small camera makes of the scene (3, H, W): an RGB image (H, W, 3).

    It adds uneven light, some blur and grain.
    """
    height, width = scene.shape[1:]
    light = 1 + rng.uniform(0, 0.25) * ramp(height, width, rng.uniform(0, 2 * np.pi))
    vignette = rng.uniform(0, 0.15) * (
        ramp(height, width, 0.0) ** 2 + ramp(height, width, np.pi / 2) ** 2
    )
    blur_px = rng.uniform(0.2, 0.9)
    grain = rng.uniform(0.005, 0.035) * rng.standard_normal((height, width), np.float32)
    planes = [
        cv2.GaussianBlur(plane, (0, 0), blur_px) + grain for plane in scene * (light - vignette)
    ]
    return np.rint(255 * np.clip(np.stack(planes, axis=-1), 0, 1)).astype(np.uint8)
