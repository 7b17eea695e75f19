"""Colours of classes: fixed, and as far apart as the number of classes allows."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]  # red, green, blue in 0…255

DISTINCT = 200  # colours before the palette repeats; beyond, neighbours look alike anyway


def class_colours(n: int) -> list[Colour]:
    """Returns a colour for each of `n` classes.

    Class i has the same colour whatever `n` is. Beyond `DISTINCT` classes the colours repeat.
    """
    palette = _palette()
    return [palette[i % DISTINCT] for i in range(n)]


def ink_on(colour: Colour) -> Colour:
    """Returns black or white, whichever reads better on `colour`."""
    lightness = oklab(np.array([colour]))[0, 0]
    return (0, 0, 0) if lightness > 0.62 else (255, 255, 255)


def oklab(rgb: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Converts sRGB (N, 3) in 0…255 to OKLab (N, 3): lightness in 0…1, a, b.

    Equal distances look about equally different (Ottosson, 2020).
    """
    encoded = rgb / 255
    linear = np.where(encoded > 0.04045, ((encoded + 0.055) / 1.055) ** 2.4, encoded / 12.92)
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    lab: NDArray[np.float64] = np.cbrt(linear @ np.transpose(to_cones)) @ np.transpose(to_lab)
    return lab


@cache
def _palette() -> tuple[Colour, ...]:
    """Picks colours one after another, each the farthest from all picked before it.

    The candidates are vivid and neither very dark nor very light: they stand out from
    photographs, and black or white text is legible on them.
    """
    levels = np.arange(0, 256, 15)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = oklab(rgb)
    vivid = (np.hypot(lab[:, 1], lab[:, 2]) > 0.1) & (lab[:, 0] > 0.58) & (lab[:, 0] < 0.93)
    rgb, lab = rgb[vivid], lab[vivid]
    first = int(np.linalg.norm(rgb - np.array([255, 150, 30]), axis=1).argmin())  # orange
    picked = [first]
    nearest = np.linalg.norm(lab - lab[first], axis=1)
    while len(picked) < DISTINCT:
        picked.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[picked[-1]], axis=1))
    return tuple((int(r), int(g), int(b)) for r, g, b in rgb[picked])
