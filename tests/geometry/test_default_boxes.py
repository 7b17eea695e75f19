import numpy as np
import pytest

from ssdcore.geometry.default_boxes import (
    FEATURE_MAPS,
    NUM_DEFAULT_BOXES,
    corners,
    default_boxes,
)


def test_equals_the_reference(golden):
    boxes = default_boxes()
    assert boxes.shape == (8732, 4)
    assert boxes.dtype == np.float32
    np.testing.assert_array_equal(boxes[::97], golden["default_boxes_cyxhw_every_97th"])
    sums = boxes.sum(axis=0)  # in float32, as the reference's was taken
    np.testing.assert_allclose(sums, [4443.8696, 4443.8945, 1766.1766, 1766.1766], atol=5e-4)


def test_corners_equal_the_reference_to_the_last_bit(golden):
    expected = golden["default_boxes_y1x1y2x2_every_97th"]
    np.testing.assert_array_equal(corners(default_boxes())[::97], expected)


def test_counts():
    assert NUM_DEFAULT_BOXES == 8732
    assert [m.boxes_per_cell for m in FEATURE_MAPS] == [4, 6, 6, 6, 4, 4]


def test_first_cell_by_hand():
    cell = default_boxes()[:4]
    np.testing.assert_allclose(cell[:, :2], 4 / 300, rtol=1e-6)
    root2 = 2**0.5
    sides = [[0.1, 0.1], [0.1 / root2, 0.1 * root2], [0.1 * root2, 0.1 / root2]]
    sides.append([0.027**0.5, 0.027**0.5])
    np.testing.assert_allclose(cell[:, 2:], sides, rtol=1e-6)


def test_order_is_row_then_column():
    boxes = default_boxes()
    right, below = boxes[4], boxes[4 * 38]
    np.testing.assert_allclose(right[:2], [4 / 300, 12 / 300], rtol=1e-6)
    np.testing.assert_allclose(below[:2], [12 / 300, 4 / 300], rtol=1e-6)


@pytest.mark.parametrize(
    "scales",
    [(0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05), (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)],
)
def test_other_scales_reach_the_boxes_and_their_corners(scales):
    boxes = default_boxes(scales)
    first_of_map = np.cumsum([0] + [m.size**2 * m.boxes_per_cell for m in FEATURE_MAPS])[:-1]
    np.testing.assert_allclose(boxes[first_of_map, 2], scales[:6], rtol=1e-6)
    np.testing.assert_allclose(boxes[-1, 2], (scales[5] * scales[6]) ** 0.5, rtol=1e-6)
    low = boxes[:, :2].astype(float) - boxes[:, 2:].astype(float) / 2
    np.testing.assert_allclose(corners(boxes)[:, :2], low, atol=1e-7)


def test_corners_of_any_boxes():
    boxes = np.array([[0.5, 0.5, 0.2, 0.4]], np.float32)
    np.testing.assert_allclose(corners(boxes), [[0.4, 0.3, 0.6, 0.7]], rtol=1e-6)


def test_wrong_number_of_scales_is_refused():
    with pytest.raises(ValueError, match="6 scales, expected 7"):
        default_boxes((0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
