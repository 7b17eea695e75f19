from itertools import pairwise

import numpy as np
import pytest

from ssdcore.geometry.boxes import cyxhw_to_yxyx
from ssdcore.geometry.default_boxes import TUTORIAL_SCALES, cell_shapes, corners, default_boxes
from ssdcore.geometry.feature_maps import LAYOUTS
from ssdcore.geometry.fit import MIN_GROWTH, BoxShapes, best_overlaps, fit_boxes, share_fitted
from ssdcore.geometry.iou import iou_matrix

LAYOUT = LAYOUTS[300]


def shapes_of(shapes):
    """Returns height and width (S, 2) of all default boxes' shapes."""
    pairs = zip(shapes.scales, shapes.scales[1:], shapes.ratios, strict=False)
    return np.array([shape for one in pairs for shape in cell_shapes(*one)])


def objects(sides_hw, rng):
    """Boxes (N, 4) of these sides (N, 2), anywhere in the image."""
    centres = rng.uniform(sides_hw / 2, 1 - sides_hw / 2)
    return cyxhw_to_yxyx(np.hstack([centres, sides_hw])).astype(np.float32)


@pytest.mark.parametrize("size", LAYOUTS)
def test_overlaps_equal_those_with_every_default_box(size, rng):
    ratios = ((1.5, 2.5), (3.0,), (), *((2.0,) for _ in LAYOUTS[size].maps[3:]))
    layout = LAYOUTS[size].with_aspect_ratios(ratios)
    boxes = objects(rng.uniform(0.02, 0.9, (200, 2)), rng)
    every = corners(default_boxes(layout.coco_scales, size, ratios))
    expected = iou_matrix(boxes, every).max(axis=1)
    found = best_overlaps(boxes, layout, layout.coco_scales)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "sides",
    [
        [(0.08, 0.08), (0.3, 0.3), (0.6, 0.6), (0.9, 0.9)],
        [(0.1, 0.25), (0.25, 0.1), (0.4, 0.2)],
        [(0.05, 0.05)],
    ],
    ids=["squares", "rectangles", "one"],
)
def test_known_sides_are_recovered_within_5_percent(sides, rng):
    sides = np.array(sides)
    boxes = objects(sides[rng.integers(0, len(sides), 400)], rng)
    found = shapes_of(fit_boxes(boxes, LAYOUT, TUTORIAL_SCALES))
    for side in sides:
        nearest = np.abs(found / side - 1).max(axis=1).min()
        assert nearest <= 0.05, side


def test_scales_and_ratios_that_drew_the_objects_are_recovered(rng):
    """On the maps that show them best."""
    drawn = BoxShapes(
        (0.08, 0.3, 0.6, 0.8, 0.95, 1.0, 1.05),
        ((1.6,), (1.5, 2.5), (1.7, 2.8), (1.5, 2.4), (1.7,), (1.6,)),
    )
    sides = shapes_of(drawn)
    sides = sides[(sides < 1).all(axis=1)]
    boxes = objects(sides[rng.integers(0, len(sides), 1000)], rng)
    found = fit_boxes(boxes, LAYOUT, TUTORIAL_SCALES)
    np.testing.assert_allclose(found.scales[:3], drawn.scales[:3], rtol=0.05)
    for ratios, expected in zip(found.ratios[:2], drawn.ratios[:2], strict=True):
        np.testing.assert_allclose(ratios, expected, rtol=0.05)


def test_objects_stay_on_the_finest_map_that_shows_them_well(rng):
    """Boxes of a coarser map could fit them better, but find them less exactly."""
    sides = np.array([(0.07, 0.07), (0.185, 0.185)])[rng.integers(0, 2, 200)]
    boxes = objects(sides, rng)
    found = fit_boxes(boxes, LAYOUT, (0.08, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05))
    every = cyxhw_to_yxyx(default_boxes(found.scales, 300, found.ratios))
    on_finest = iou_matrix(boxes, every[: LAYOUT.maps[0].num_boxes]).max(axis=1)
    assert (on_finest >= 0.5).mean() > 0.95


def test_the_share_rises_and_values_that_no_object_needs_stay(rng):
    boxes = objects(rng.uniform(0.06, 0.12, (300, 2)), rng)
    found = fit_boxes(boxes, LAYOUT, TUTORIAL_SCALES)
    fitted = LAYOUT.with_aspect_ratios(found.ratios)
    assert share_fitted(boxes, LAYOUT, TUTORIAL_SCALES) < 0.95
    assert share_fitted(boxes, fitted, found.scales) > 0.99
    assert found.scales[2:] == TUTORIAL_SCALES[2:]


def test_an_object_without_area_ends_no_search(rng):
    boxes = objects(np.vstack([np.zeros((1, 2)), np.full((50, 2), 0.05)]), rng)
    assert fit_boxes(boxes, LAYOUT, TUTORIAL_SCALES).scales[0] == pytest.approx(0.05, rel=0.05)


def test_without_objects_nothing_changes():
    found = fit_boxes(np.zeros((0, 4), np.float32), LAYOUT, TUTORIAL_SCALES)
    assert found == BoxShapes.of(LAYOUT, TUTORIAL_SCALES)


def test_of_objects_of_one_size_the_scales_of_other_sizes_stay(rng):
    found = fit_boxes(objects(np.full((50, 2), 0.5), rng), LAYOUT, TUTORIAL_SCALES)
    assert found.scales[4:] == TUTORIAL_SCALES[4:]


@pytest.mark.parametrize("side", [0.03, 0.35, 0.5, 0.77])
@pytest.mark.parametrize("size", LAYOUTS)
def test_every_proposal_keeps_its_values_apart(size, side, rng):
    layout = LAYOUTS[size]
    boxes = objects(side * rng.uniform(0.98, 1.02, (50, 2)), rng)
    found = fit_boxes(boxes, layout, layout.coco_scales)
    for row in found.rows():
        assert all(b >= a * MIN_GROWTH for a, b in pairwise(row)), row


def test_close_values_that_no_object_needs_stay(rng):
    """With all their digits, and they are in no other's way."""
    present = (0.1, 0.27, 0.44, 0.45, 0.46, 0.6, 0.7123)
    found = fit_boxes(objects(np.full((50, 2), 0.05), rng), LAYOUT, present)
    assert found.scales[0] == pytest.approx(0.05, rel=0.05)
    assert found.scales[2:] == present[2:]


def test_ratios_are_fitted_in_any_order(rng):
    sides = 0.25 * np.array([(1, 4.5), (2.2, 1), (1, 1)])[rng.integers(0, 3, 200)] ** 0.5
    boxes = objects(sides, rng)
    rising, falling = (
        fit_boxes(boxes, LAYOUT.with_aspect_ratios(((2,), ratios, *[(2,)] * 4)), TUTORIAL_SCALES)
        for ratios in ((2.0, 3.0), (3.0, 2.0))
    )
    assert rising.ratios[1] != (2.0, 3.0)
    np.testing.assert_allclose(falling.ratios[1], rising.ratios[1][::-1], rtol=0.05)
