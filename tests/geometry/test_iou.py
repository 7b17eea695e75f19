import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssdcore.geometry import iou as module
from ssdcore.geometry.iou import areas, iou, iou_matrix, iou_of_sides


def random_boxes(rng, count):
    """Boxes, some of them equal, tiny, without area or with a negative side."""
    boxes = rng.random((count, 4)).astype(np.float32)
    boxes[:, 2:] += np.where(rng.random((count, 1)) < 0.9, boxes[:, :2], 0)
    boxes[rng.random(count) < 0.1, 2] = 0
    boxes[rng.random(count) < 0.3] *= np.float32(1e-3)
    if count > 2:
        boxes[1] = boxes[0]
    return boxes


def naive_iou(a, b):
    shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    sizes = [max(y2 - y1, 0) * max(x2 - x1, 0) for y1, x1, y2, x2 in (a, b)]
    return shared / (sum(sizes) - shared) if shared else 0


@given(st.integers(0, 2**32))
def test_iou_equals_a_loop(seed):
    rng = np.random.default_rng(seed)
    a, b = random_boxes(rng, 8), random_boxes(rng, 9)
    expected = [[naive_iou(one.tolist(), other.tolist()) for other in b] for one in a]
    np.testing.assert_allclose(iou_matrix(a, b), expected, rtol=1e-4)
    np.testing.assert_allclose(iou_matrix(a.astype(float), b.astype(float)), expected, rtol=1e-12)


def test_the_iou_of_sides_is_that_of_boxes_at_a_distance(rng):
    a_hw, b_hw = rng.uniform(0.1, 1, (2, 50)), rng.uniform(0.1, 1, (2, 1))
    apart = rng.uniform(0, 1, (2, 50)) * (rng.random(50) < 0.8)
    a = np.concatenate([-a_hw, a_hw]).T / 2
    b = np.concatenate([apart - b_hw / 2, apart + b_hw / 2]).T
    expected = iou(a, b)
    assert (expected == 0).any()
    np.testing.assert_allclose(iou_of_sides(a_hw, b_hw, apart), expected, rtol=1e-12)


@pytest.mark.parametrize("pairs_at_once", [1, 7, 20, 21, 1 << 15])
def test_pairs_have_the_same_bits_in_any_shape(rng, monkeypatch, pairs_at_once):
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", pairs_at_once)
    a, b = random_boxes(rng, 13), random_boxes(rng, 7)
    matrix = iou_matrix(a, b)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, iou(a[:, None], b))
    rows, columns = rng.integers(0, 13, 50), rng.integers(0, 7, 50)
    np.testing.assert_array_equal(matrix[rows, columns], iou(a[rows], b[columns]))
    known = iou(a[rows], b[columns], areas(a)[rows], areas(b)[columns])
    np.testing.assert_array_equal(matrix[rows, columns], known)
    assert iou_matrix(a[:0], b).shape == (0, 7)
    assert iou_matrix(a, b[:0]).shape == (13, 0)
