"""Fits the default boxes to the objects of a data set.

An object without a default box of IoU 0.5 has only the one that is forced on it. Of all boxes of
one shape on one map, the nearest has the highest IoU. So an object is compared with one box for
each shape of each map, not with thousands, and many shapes can be tried.
"""

from collections.abc import Iterator, Sequence
from decimal import ROUND_CEILING, Context
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes, yxyx_to_cyxhw
from ssdcore.geometry.default_boxes import cell_shapes
from ssdcore.geometry.feature_maps import MapLayout
from ssdcore.geometry.iou import iou_of_sides
from ssdcore.geometry.matching import POSITIVE_IOU

SAMPLE = 4000
"""Maximum number of objects that the search compares, evenly spread over all of them."""
STEPS = (0.4, 0.2, 0.1, 0.05, 0.025, 0.0125)
"""Relative changes that the search tries, the large ones first."""
SHARE_WEIGHT, PLACED = 3.0, 0.25
"""Weights in the goal; see `_Search`."""
MIN_GAIN = 1e-4
"""Minimum rise of the goal for a change: a shape that no object needs stays unchanged."""
ENOUGH_STRIDES = 6.0
"""Side of an object, in distances between the cells of a map, from which the map shows it well. A
map whose cells are twice as far apart finds it less exactly, however well its boxes fit: on blood
cells that cost 0.07 AP of red cells and 0.13 of white ones."""
TINY = 1e-9
"""Keeps the side of an object without area above 0."""
MIN_STRIDES, MAX_STRIDES = 1.0, 6.0
"""Range of a map's scale in distances between its cells. Objects fall between the centres of
smaller boxes, and a cell does not see the whole of larger ones."""
MAX_SCALE, MAX_RATIO = 1.5, 8.0
MIN_GROWTH = 1.05
"""Minimum quotient of a scale and the one before, of two ratios of a map, and of a ratio and 1.
Present values may be closer, and stay so where no object needs others."""
DIGITS = 3
"""Significant digits of a proposed value, for a short line to paste."""

Values = NDArray[np.float64]
Position = tuple[int, int]
"""Row and index of a value in `BoxShapes.rows`."""


class BoxShapes(NamedTuple):
    """The scales and ratios that define the shapes of the default boxes."""

    scales: tuple[float, ...]  # one for each map and one more; see `ssdcore.geometry.default_boxes`
    ratios: tuple[tuple[float, ...], ...]  # the aspect ratios of each map

    @classmethod
    def of(cls, layout: MapLayout, scales: Sequence[float]) -> "BoxShapes":
        """Returns the shapes of a network's default boxes."""
        return cls(tuple(scales), tuple(of_map.aspect_ratios for of_map in layout.maps))

    def rows(self) -> list[tuple[float, ...]]:
        """Returns the scales, then the ratios of each map."""
        return [self.scales, *self.ratios]

    def values(self) -> dict[Position, float]:
        """Returns all values by their positions."""
        return {(k, i): v for k, row in enumerate(self.rows()) for i, v in enumerate(row)}

    def changed(self, position: Position, value: float) -> "BoxShapes":
        """Returns the shapes with another value at a position."""
        k, i = position
        rows = self.rows()
        rows[k] = (*rows[k][:i], value, *rows[k][i + 1 :])
        return BoxShapes(rows[0], tuple(rows[1:]))


def best_overlaps(boxes_yxyx: Boxes, layout: MapLayout, scales: Sequence[float]) -> Values:
    """Returns the highest IoU (N,) of each object (N, 4) with a default box."""
    shapes = BoxShapes.of(layout, scales)
    columns = yxyx_to_cyxhw(boxes_yxyx.astype(np.float64)).T
    best = np.zeros(len(boxes_yxyx))
    for k in range(len(layout.maps)):
        for placed, _ in _overlaps(columns, layout, shapes, k):
            np.maximum(best, placed, out=best)
    return best


def share_fitted(boxes_yxyx: Boxes, layout: MapLayout, scales: Sequence[float]) -> float:
    """Returns the share of objects (N, 4) with a default box of IoU 0.5 or more; N is not 0."""
    return float((best_overlaps(boxes_yxyx, layout, scales) >= POSITIVE_IOU).mean())


def fit_boxes(boxes_yxyx: Boxes, layout: MapLayout, scales: Sequence[float]) -> BoxShapes:
    """Returns shapes that raise the share of objects with a default box of IoU 0.5 or more.

    Changes one scale or ratio at a time, first by large steps, then by small ones, as long as the
    goal of `_Search` rises: from the present shapes, from the paper's scales and from the sizes of
    the objects (N, 4) of the training split. The best end counts. The number of ratios stays; so do
    values that make no difference, and all if nothing is better.
    """
    present = BoxShapes.of(layout, scales)
    if not len(boxes_yxyx):
        return present
    objects = yxyx_to_cyxhw(boxes_yxyx.astype(np.float64))[:: -(-len(boxes_yxyx) // SAMPLE)]
    starts = (present.scales, layout.coco_scales, _quantiles(objects, layout))
    found = [_Search(objects, layout, present, start) for start in starts]
    for search in found:
        search.climb()
        search.restore()
    least = share_fitted(boxes_yxyx, layout, scales)
    for _, shapes in sorted((-search.goal, search.shapes) for search in found):
        fitted = layout.with_aspect_ratios(shapes.ratios)
        if share_fitted(boxes_yxyx, fitted, shapes.scales) >= least:
            return shapes
    return present


def _quantiles(objects_cyxhw: Boxes, layout: MapLayout) -> list[float]:
    """Returns scales that split the objects into equal parts by size, within their ranges."""
    sides = np.sqrt(objects_cyxhw[:, 2] * objects_cyxhw[:, 3])
    shares = (np.arange(layout.num_scales) + 0.5) / layout.num_scales
    scales = [0.0]
    for k, side in enumerate(np.quantile(sides, shares).tolist()):
        low, high = _range(layout, (0, k))
        least = max(low, scales[-1] * MIN_GROWTH)
        scales.append(max(_rounded_up(least), _rounded(min(side, high))))
    return scales[1:]


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _rounded_up(value: float) -> float:
    return float(Context(prec=DIGITS, rounding=ROUND_CEILING).create_decimal(value))


def _range(layout: MapLayout, position: Position) -> tuple[float, float]:
    """Returns the minimum and the maximum value at a position."""
    row, k = position
    if row:
        return MIN_GROWTH, MAX_RATIO
    if k == len(layout.maps):
        return 0.0, MAX_SCALE
    step = layout.maps[k].stride / layout.input_size
    least = MIN_STRIDES * step if layout.maps[k].size > 1 else 0.0
    return least, min(MAX_STRIDES * step, MAX_SCALE)


def _overlaps(
    columns: Boxes, layout: MapLayout, shapes: BoxShapes, k: int
) -> Iterator[tuple[Values, Values]]:
    """Yields for each shape of map k the IoUs (N,) with the objects, rows of `columns` (4, N).

    The first is with the nearest box at its position, the second with a box around the same centre.
    """
    feature_map = layout.maps[k]
    step = feature_map.stride / layout.input_size
    cells = np.clip(columns[:2] // step, 0, feature_map.size - 1)
    away = np.abs(columns[:2] - (cells + 0.5) * step)
    sides = columns[2:]
    for shape in cell_shapes(shapes.scales[k], shapes.scales[k + 1], shapes.ratios[k]):
        of_box = np.reshape(shape, (2, 1))
        yield iou_of_sides(sides, of_box, away), iou_of_sides(sides, of_box, 0)


class _Search:
    """Searches shapes with a higher goal.

    The goal is `SHARE_WEIGHT` times the share of the objects with a default box of IoU 0.5 or more,
    plus the mean over the objects of their best box's IoU: a quarter of it at the box's position,
    three quarters as if both had the same centre, and less on a map that shows the object worse
    than the finest does; see `ENOUGH_STRIDES`. With the IoU at the box's position alone, boxes
    become larger than objects: a larger box overlaps more of an object between two cells.
    """

    def __init__(
        self, objects_cyxhw: Boxes, layout: MapLayout, present: BoxShapes, start: Sequence[float]
    ) -> None:
        self._columns = np.ascontiguousarray(objects_cyxhw.T)
        self._layout = layout
        self._present = present
        self.shapes = present._replace(scales=tuple(start))
        sides = np.sqrt(self._columns[2:].prod(axis=0)) + TINY
        steps = np.array([of_map.stride / layout.input_size for of_map in layout.maps])
        shown = np.minimum(1, sides / (ENOUGH_STRIDES * steps[:, None]))
        self._shown = shown / shown[0]  # of each map and object, compared with the finest map
        self._of_maps = [self._on_map(self.shapes, k) for k in range(len(layout.maps))]
        self.goal = _goal(self._of_maps)

    def climb(self) -> None:
        """Changes one value at a time as long as the goal rises."""
        for step in STEPS:
            factors = (1 + step, 1 / (1 + step))
            climbs = True
            while climbs:
                climbs = False
                for position, factor in product(self.shapes.values(), factors):
                    # the last step may have changed it
                    value = _rounded(self.shapes.values()[position] * factor)
                    low, high = _range(self._layout, position)
                    climbs |= low <= value <= high and self._try(position, value, MIN_GAIN)

    def restore(self) -> None:
        """Returns values to the present ones where that makes no difference.

        One may be in the way of another, so that each is tried until none can be returned.
        """
        restores = True
        while restores:
            restores = False
            for position, value in reversed(self._present.values().items()):
                if self.shapes.values()[position] != value:
                    restores |= self._try(position, value, -MIN_GAIN)

    def _try(self, position: Position, value: float, gain: float) -> bool:
        """Changes a value if others are not too close and the goal rises by more than `gain`."""
        changed = self.shapes.changed(position, value)
        new_pairs = self._pairs(changed, position) - self._pairs(self._present, position)
        if any(b < a * MIN_GROWTH for a, b in new_pairs):
            return False
        row, index = position
        of_maps = list(self._of_maps)
        for k in (row - 1,) if row else (index - 1, index):
            if 0 <= k < len(of_maps):
                of_maps[k] = self._on_map(changed, k)
        goal = _goal(of_maps)
        if goal <= self.goal + gain:
            return False
        self.shapes, self._of_maps, self.goal = changed, of_maps, goal
        return True

    def _pairs(self, shapes: BoxShapes, position: Position) -> set[tuple[float, float]]:
        """Returns a value with the next smaller and with the next larger one of its row.

        The present values define the order: ratios may be listed in any order.
        """
        row, index = position
        present, values = self._present.rows()[row], shapes.rows()[row]
        rising = sorted(range(len(present)), key=present.__getitem__)
        k = rising.index(index)
        return set(pairwise(values[i] for i in rising[max(k - 1, 0) : k + 2]))

    def _on_map(self, shapes: BoxShapes, k: int) -> Values:
        """Returns of each object (2, N) the highest IoU and the highest score on map k."""
        placed, centred = np.moveaxis(
            np.array(list(_overlaps(self._columns, self._layout, shapes, k))), 1, 0
        )
        scores = (placed * PLACED + centred * (1 - PLACED)) * self._shown[k]
        return np.stack([placed, scores]).max(axis=1)


def _goal(of_maps: list[Values]) -> float:
    placed, scores = np.maximum.reduce(of_maps)
    return float(SHARE_WEIGHT * (placed >= POSITIVE_IOU).mean() + scores.mean())
