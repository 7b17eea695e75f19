"""The default boxes of the feature maps (Liu et al., ECCV 2016, section 2.2)."""

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes, cyxhw_to_yxyx
from ssdcore.geometry.feature_maps import IMAGE_SIZE, LAYOUTS, FeatureMap, MapLayout

TUTORIAL_SCALES = (0.1, 0.27, 0.44, 0.61, 0.78, 0.95, 1.0)
"""s_0 … s_6 of the MindSpore tutorial, fractions of the image."""


def default_boxes(
    scales: Sequence[float] = TUTORIAL_SCALES,
    input_size: int = IMAGE_SIZE,
    aspect_ratios: Sequence[Sequence[float]] | None = None,
) -> Boxes:
    """Builds the default boxes in the order map, row, column, box of the cell.

    At scale s_k a cell has the square s_k, then for each ratio r the box (h, w) = (s/√r, s·√r)
    and its transpose, and finally the square √(s_k s_(k+1)) (equations 4 and 5 of the paper,
    with explicit scales). There is a scale for each map and one more, in fractions of the image.
    The `input_size` in pixels selects the maps; ratios of None are the paper's.

    Returns:
        (K, 4) float32 (cy, cx, h, w), fractions of the image, not clipped.

    Raises:
        ValueError: there is not one scale more than feature maps, or not one list of ratios for
            each map.
    """
    layout = LAYOUTS[input_size].with_aspect_ratios(aspect_ratios)
    if len(scales) != layout.num_scales:
        raise ValueError(f"{len(scales)} scales, expected {layout.num_scales}")
    return _exact(layout, scales).astype(np.float32)


def corners(default_boxes: Boxes) -> Boxes:
    """Returns the corners (K, 4) float32 y1 x1 y2 x2 of default boxes (K, 4), rounded once.

    All default boxes of one shape inside a larger ground truth have the same IoU with it except for
    rounding, so the last bit of the corners decides which is best. To agree with the reference, the
    corners of a table with the paper's ratios are computed from the unrounded grid instead of the
    float32 table.
    """
    return _corners(np.ascontiguousarray(default_boxes, np.float32).tobytes())


@lru_cache(maxsize=4)
def _corners(table: bytes) -> Boxes:
    boxes: Boxes = np.frombuffer(table, np.float32).reshape(-1, 4)
    for layout in LAYOUTS.values():
        if len(boxes) != layout.num_default_boxes:
            continue
        unrounded = _exact(layout, _scales_of(layout, boxes))
        if np.array_equal(unrounded.astype(np.float32), boxes):
            boxes = unrounded
    # Column-major, because boxes are compared one coordinate at a time.
    return np.asfortranarray(cyxhw_to_yxyx(boxes), np.float32)


def _scales_of(layout: MapLayout, table: Boxes) -> list[float]:
    """Recovers the scales from a table: the first box of a map is the square s_k."""
    starts = np.cumsum([0] + [feature_map.num_boxes for feature_map in layout.maps[:-1]])
    scales = table[starts, 2].astype(float)
    last = float(table[-1, 2]) ** 2 / scales[-1]
    return [round(scale, 6) for scale in [*scales, last]]


def _exact(layout: MapLayout, scales: Sequence[float]) -> NDArray[np.float64]:
    """Builds the table (K, 4) in float64."""
    maps = zip(layout.maps, scales, scales[1:], strict=False)
    return np.concatenate(
        [_grid(feature_map, layout.input_size, scale, after) for feature_map, scale, after in maps]
    )


def cell_shapes(
    scale: float, next_scale: float, aspect_ratios: Sequence[float]
) -> list[tuple[float, float]]:
    """Returns height and width of the boxes of a cell, in their order."""
    between = sqrt(scale * next_scale)
    shapes = [(scale, scale)]
    for ratio in aspect_ratios:
        long, short = scale * sqrt(ratio), scale / sqrt(ratio)
        shapes += [(short, long), (long, short)]
    return [*shapes, (between, between)]


def _grid(
    feature_map: FeatureMap, input_size: int, scale: float, next_scale: float
) -> NDArray[np.float64]:
    """Returns the boxes of one map (size² · boxes per cell, 4)."""
    shapes = cell_shapes(scale, next_scale, feature_map.aspect_ratios)
    centres = (np.arange(feature_map.size) + 0.5) * feature_map.stride / input_size
    boxes = np.empty((feature_map.size, feature_map.size, len(shapes), 4))
    boxes[..., 0] = centres[:, None, None]
    boxes[..., 1] = centres[None, :, None]
    boxes[..., 2:] = shapes
    return boxes.reshape(-1, 4)
