"""Class colours: fixed, and as distinct as their number allows."""

from functools import cache

import cv2
import numpy as np

Colour = tuple[int, int, int]  # red, green, blue in 0…255

DISTINCT = 200  # colours before the palette repeats; more would look alike


def class_colour(label: int) -> Colour:
    """Returns the colour of a class by its label, 1 … C-1; it does not depend on C."""
    return _palette()[(label - 1) % DISTINCT]


def text_colour(background: Colour) -> Colour:
    """Returns black or white, whichever is easier to read on `background`."""
    luma = np.dot(background, (0.299, 0.587, 0.114))  # ITU-R BT.601
    return (0, 0, 0) if luma > 128 else (255, 255, 255)


@cache
def _palette() -> tuple[Colour, ...]:
    """Picks colours one by one, each the farthest in CIELAB from those picked before.

    The candidates are saturated and of medium lightness: they stand out from photographs, and
    black or white text is legible on them.
    """
    levels = np.arange(0, 256, 15, np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = cv2.cvtColor((rgb / 255).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]  # L 0…100
    suitable = (np.hypot(lab[:, 1], lab[:, 2]) > 40) & (lab[:, 0] > 45) & (lab[:, 0] < 90)
    rgb, lab = rgb[suitable], lab[suitable]
    orange = (255, 150, 30)
    picked = [int(np.abs(rgb - np.array(orange)).sum(axis=1).argmin())]
    nearest = np.full(len(lab), np.inf)
    while len(picked) < DISTINCT:
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[picked[-1]], axis=1))
        picked.append(int(nearest.argmax()))
    return tuple((int(r), int(g), int(b)) for r, g, b in rgb[picked])
