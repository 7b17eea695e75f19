"""Where the shapes stand in an image: how many, how large, how turned, and how far in sight."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssdcore.sources.shape_drawing import coverage
from ssdcore.sources.shape_outlines import CLASSES, Outline, area_px, moved, posed
from ssdcore.sources.textures import Plane

MOST_OBJECTS = 6
SMALLEST_PX, USUAL_PX, LARGEST_PX = 16.0, 100.0, 200.0  # longer side of the box, before clipping
LARGEST_SHARE = 0.85  # of the image's shorter side
LEAST_INSIDE = 0.7  # of an object's area
LEAST_VISIBLE = 0.6  # of an object's area: what neither the border nor a later object takes
LARGEST_TURN = np.pi / 9  # either way from upright, as most things stand in photos
LEAST_SQUASH = 0.9  # foreshortened to that at most
OVERHANG = 0.35  # of the box's side: how far beyond the border a position is tried
POSITION_TRIES = 30


@dataclass(frozen=True)
class Placed:
    """An object in its place.

    Attributes:
        label: index into `CLASSES`.
        outline: its whole outline, also where it is hidden or cut, in continuous pixels.
        covered: (H, W), the share of each pixel that it covers, 0 to 1.
    """

    label: int
    outline: Outline
    covered: Plane


def arrange(rng: np.random.Generator, height: int, width: int) -> list[Placed]:
    """Returns 1 to 6 objects, the rearmost first.

    Each keeps `LEAST_INSIDE` of its area in the image and `LEAST_VISIBLE` in sight; one for
    which `POSITION_TRIES` random positions give no such place is left out.
    """
    scene: list[Placed] = []
    for _ in range(rng.integers(1, MOST_OBJECTS + 1)):
        label = int(rng.integers(len(CLASSES)))
        outline = _random_pose(rng, CLASSES[label], LARGEST_SHARE * min(height, width))
        for _ in range(POSITION_TRIES):
            there = moved(outline, _random_centre(rng, outline, height, width))
            candidate = Placed(label, there, coverage(there, height, width))
            if _is_inside(candidate) and min(visible_shares([*scene, candidate])) >= LEAST_VISIBLE:
                scene.append(candidate)
                break
    return scene


def visible_shares(scene: list[Placed]) -> list[float]:
    """Returns for each object the share of its whole area that is inside the image and in sight.

    Args:
        scene: the objects, the rearmost first.
    """
    shares: list[float] = []
    unhidden = np.ones_like(scene[0].covered)
    for placed in reversed(scene):
        shares.append(float((placed.covered * unhidden).sum()) / area_px(placed.outline))
        unhidden *= 1 - placed.covered
    return shares[::-1]


def _is_inside(placed: Placed) -> bool:
    return float(placed.covered.sum()) >= LEAST_INSIDE * area_px(placed.outline)


def _random_pose(rng: np.random.Generator, name: str, largest_px: float) -> Outline:
    """Returns an outline around the origin; sizes crowd about `USUAL_PX` on a logarithmic scale."""
    sizes = np.log(np.minimum([SMALLEST_PX, USUAL_PX, LARGEST_PX], largest_px))
    return posed(
        name,
        size_px=float(np.exp(rng.triangular(*sizes))),
        angle=rng.uniform(-LARGEST_TURN, LARGEST_TURN),
        squash=rng.uniform(LEAST_SQUASH, 1),
        squash_angle=rng.uniform(0, np.pi),
    )


def _random_centre(
    rng: np.random.Generator, outline: Outline, height: int, width: int
) -> NDArray[np.float64]:
    """Returns a point (2,), x and y, where the outline's box overhangs the border only a little."""
    margin = (0.5 - OVERHANG) * np.ptp(outline[0], axis=0)
    return rng.uniform(margin, [width, height] - margin)
