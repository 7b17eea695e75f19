import numpy as np
import pytest

from ssdcore.geometry import boxes as module
from ssdcore.geometry.boxes import (
    areas,
    cyxhw_to_yxyx,
    intersections,
    iou,
    xywh_px_to_yxyx,
    yxyx_to_cyxhw,
    yxyx_to_xywh_px,
)


def random_boxes(rng, count):
    low, size = rng.random((count, 2)) * 0.7, rng.random((count, 2)) * 0.3
    return np.concatenate([low, low + size], axis=1).astype(np.float32)


def test_centre_and_corner_formats_are_inverse(rng):
    boxes = random_boxes(rng, 50)
    np.testing.assert_allclose(cyxhw_to_yxyx(yxyx_to_cyxhw(boxes)), boxes, atol=1e-6)


def test_pixels_by_hand():
    box = np.array([[30.0, 10.0, 60.0, 20.0]])  # x 30 to 90 of 300, y 10 to 30 of 100
    fractions = xywh_px_to_yxyx(box, height=100, width=300)
    np.testing.assert_allclose(fractions, [[0.1, 0.1, 0.3, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(yxyx_to_xywh_px(fractions, 100, 300), box, rtol=1e-6)


def test_iou_against_counting_cells(rng):
    cells = 200
    a, b = (np.round(random_boxes(rng, 6) * cells) / cells for _ in range(2))

    def painted(box):
        y1, x1, y2, x2 = np.round(box * cells).astype(int)
        canvas = np.zeros((cells, cells), bool)
        canvas[y1:y2, x1:x2] = True
        return canvas

    for i, box in enumerate(a):
        for j, other in enumerate(b):
            union = (painted(box) | painted(other)).sum()
            expected = (painted(box) & painted(other)).sum() / union if union else 0
            assert abs(iou(a, b)[i, j] - expected) < 1e-5


@pytest.mark.parametrize("compare", [iou, intersections])
def test_the_size_of_a_part_changes_no_bit(compare, rng, monkeypatch):
    a, b = random_boxes(rng, 13), random_boxes(rng, 7)
    whole = compare(a, b)
    assert whole.dtype == np.float32
    for pairs in (1, 7, 20, 21):
        monkeypatch.setattr(module, "AT_ONCE", pairs)
        np.testing.assert_array_equal(compare(a, b), whole)
        np.testing.assert_array_equal(compare(a[5:6], b[:1]), whole[5:6, :1])
    assert compare(a[:0], b).shape == (0, 7)
    assert compare(a, b[:0]).shape == (13, 0)


def test_boxes_without_area():
    point = np.array([[0.5, 0.5, 0.5, 0.5]], np.float32)
    inside_out = np.array([[0.6, 0.6, 0.2, 0.2]], np.float32)
    assert areas(inside_out)[0] == 0
    assert iou(point, point)[0, 0] == 0
