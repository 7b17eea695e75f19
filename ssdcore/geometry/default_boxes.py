"""The 8732 default boxes of SSD300 (Liu et al., ECCV 2016, section 2.2).

`FEATURE_MAPS` is the one description of their order: the boxes here, the heads' channel counts
and the permutation of their outputs all follow from it.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes, cyxhw_to_yxyx

IMAGE_SIZE = 300
"""Height and width of the network's input in pixels."""


class FeatureMap(NamedTuple):
    """A feature map with heads.

    Attributes:
        size: cells per side.
        stride: distance between the centres of two cells in input pixels.
        aspect_ratios: the ratios besides 1; each gives a box w:h = r and its transpose.
    """

    size: int
    stride: int
    aspect_ratios: tuple[int, ...]

    @property
    def boxes_per_cell(self) -> int:
        """Default boxes per cell: two squares and a pair for each ratio."""
        return 2 + 2 * len(self.aspect_ratios)


FEATURE_MAPS = (
    FeatureMap(38, 8, (2,)),
    FeatureMap(19, 16, (2, 3)),
    FeatureMap(10, 32, (2, 3)),
    FeatureMap(5, 64, (2, 3)),
    FeatureMap(3, 100, (2,)),
    FeatureMap(1, 300, (2,)),
)
NUM_DEFAULT_BOXES = sum(m.size**2 * m.boxes_per_cell for m in FEATURE_MAPS)

TUTORIAL_SCALES = (0.1, 0.27, 0.44, 0.61, 0.78, 0.95, 1.0)
"""s_0 … s_6 of the MindSpore tutorial, fractions of the image."""


def default_boxes(scales: Sequence[float] = TUTORIAL_SCALES) -> Boxes:
    """Builds the default boxes in the order map, row, column, box of the cell.

    At scale s_k a cell has the square s_k, then for each ratio r the box (h, w) = (s/√r, s·√r)
    and its transpose, and finally the square √(s_k s_(k+1)) (equations 4 and 5 of the paper,
    with explicit scales).

    Args:
        scales: seven box sides s_0 … s_6, fractions of the image.

    Returns:
        (8732, 4) float32 (cy, cx, h, w), fractions of the image, not clipped.

    Raises:
        ValueError: the number of scales is not the number of feature maps plus one.
    """
    if len(scales) != len(FEATURE_MAPS) + 1:
        raise ValueError(f"{len(scales)} scales, expected {len(FEATURE_MAPS) + 1}")
    return _exact(scales).astype(np.float32)


def corners(default_boxes: Boxes) -> Boxes:
    """Returns the corners (K, 4) float32 y1 x1 y2 x2 of default boxes (K, 4), rounded once.

    All default boxes of one shape inside a larger ground truth have the same IoU with it except for
    rounding, so the last bit of the corners decides which is best. To agree with the reference, the
    corners of an SSD300 table are computed from the unrounded grid instead of the float32 table.
    """
    return _corners(np.ascontiguousarray(default_boxes, np.float32).tobytes())


@lru_cache(maxsize=4)
def _corners(table: bytes) -> Boxes:
    boxes: Boxes = np.frombuffer(table, np.float32).reshape(-1, 4)
    if len(boxes) == NUM_DEFAULT_BOXES:
        unrounded = _exact(_scales_of(boxes))
        if np.array_equal(unrounded.astype(np.float32), boxes):
            boxes = unrounded
    # Column-major, because boxes are compared one coordinate at a time.
    return np.asfortranarray(cyxhw_to_yxyx(boxes), np.float32)


def _scales_of(table: Boxes) -> list[float]:
    """Recovers the scales from an SSD300 table: the first box of a map is the square s_k."""
    starts = np.cumsum([0] + [m.size**2 * m.boxes_per_cell for m in FEATURE_MAPS[:-1]])
    scales = table[starts, 2].astype(float)
    last = float(table[-1, 2]) ** 2 / scales[-1]
    return [round(scale, 6) for scale in [*scales, last]]


def _exact(scales: Sequence[float]) -> NDArray[np.float64]:
    """Builds the table (8732, 4) in float64."""
    maps = zip(FEATURE_MAPS, scales, scales[1:], strict=False)
    return np.concatenate([_grid(feature_map, scale, after) for feature_map, scale, after in maps])


def _grid(feature_map: FeatureMap, scale: float, next_scale: float) -> NDArray[np.float64]:
    """Returns the boxes of one map (size² · boxes per cell, 4)."""
    between = sqrt(scale * next_scale)
    sides = [(scale, scale)]
    for ratio in feature_map.aspect_ratios:
        long, short = scale * sqrt(ratio), scale / sqrt(ratio)
        sides += [(short, long), (long, short)]
    sides.append((between, between))

    centres = (np.arange(feature_map.size) + 0.5) * feature_map.stride / IMAGE_SIZE
    boxes = np.empty((feature_map.size, feature_map.size, len(sides), 4))
    boxes[..., 0] = centres[:, None, None]
    boxes[..., 1] = centres[None, :, None]
    boxes[..., 2:] = sides
    return boxes.reshape(-1, 4)
