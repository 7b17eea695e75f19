import numpy as np
import pytest

from ssdcore.geometry.boxes import cyxhw_to_yxyx
from ssdcore.geometry.default_boxes import TUTORIAL_SCALES, cell_shapes, corners, default_boxes
from ssdcore.geometry.feature_maps import LAYOUTS
from ssdcore.geometry.fit import BoxShapes, best_overlaps, fit_boxes, share_fitted
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
        [(0.08, 0.08), (0.2, 0.2), (0.35, 0.35), (0.5, 0.5), (0.7, 0.7), (0.9, 0.9)],
        [(0.1, 0.25), (0.25, 0.1), (0.4, 0.2)],
        [(0.05, 0.05)],
    ],
    ids=["squares", "rectangles", "one"],
)
def test_known_sides_are_recovered_within_5_percent(sides, rng):
    sides = np.array(sides)
    boxes = objects(sides[rng.integers(0, len(sides), 2000)], rng)
    found = shapes_of(fit_boxes(boxes, LAYOUT, TUTORIAL_SCALES))
    for side in sides:
        nearest = np.abs(found / side - 1).max(axis=1).min()
        assert nearest <= 0.05, side


def test_scales_and_ratios_that_drew_the_objects_are_recovered(rng):
    """But for those whose boxes are larger than the image."""
    drawn = BoxShapes(
        (0.06, 0.15, 0.32, 0.45, 0.62, 0.8, 0.95),
        ((1.6,), (1.5, 2.5), (1.7, 2.8), (1.5, 2.4), (1.7,), (1.6,)),
    )
    sides = shapes_of(drawn)
    sides = sides[(sides < 1).all(axis=1)]
    boxes = objects(sides[rng.integers(0, len(sides), 4000)], rng)
    found = fit_boxes(boxes, LAYOUT, TUTORIAL_SCALES)
    np.testing.assert_allclose(found.scales[:6], drawn.scales[:6], rtol=0.05)
    for ratios, expected in zip(found.ratios[:5], drawn.ratios[:5], strict=True):
        np.testing.assert_allclose(ratios, expected, rtol=0.05)


def test_the_share_rises_and_values_that_no_object_needs_stay(rng):
    boxes = objects(rng.uniform(0.06, 0.12, (1000, 2)), rng)
    found = fit_boxes(boxes, LAYOUT, TUTORIAL_SCALES)
    fitted = LAYOUT.with_aspect_ratios(found.ratios)
    assert share_fitted(boxes, LAYOUT, TUTORIAL_SCALES) < 0.95
    assert share_fitted(boxes, fitted, found.scales) > 0.99
    assert found.scales[2:] == TUTORIAL_SCALES[2:]


def test_without_objects_nothing_changes():
    found = fit_boxes(np.zeros((0, 4), np.float32), LAYOUT, TUTORIAL_SCALES)
    assert found == BoxShapes.of(LAYOUT, TUTORIAL_SCALES)
