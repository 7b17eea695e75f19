import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssdcore.geometry import overlaps
from ssdcore.geometry.boxes import iou
from ssdcore.geometry.overlaps import Sides, overlapping, paired_iou


def boxes_of(rng, count):
    """Boxes, some equal, some tiny, some without area, some turned inside out."""
    boxes = rng.random((count, 4)).astype(np.float32)
    boxes[:, 2:] += np.where(rng.random((count, 1)) < 0.9, boxes[:, :2], 0)
    boxes[rng.random(count) < 0.1, 2] = 0
    boxes[rng.random(count) < 0.3] *= np.float32(1e-3)
    if count > 2:
        boxes[1] = boxes[0]
    return boxes


@given(st.integers(0, 2**32))
def test_values_are_those_of_all_pairs(seed):
    rng = np.random.default_rng(seed)
    a, b = boxes_of(rng, 20), boxes_of(rng, 30)
    rows, columns = rng.integers(0, 20, 100), rng.integers(0, 30, 100)
    paired = paired_iou(Sides.of(a).take(rows), Sides.of(b).take(columns))
    np.testing.assert_array_equal(paired, iou(a, b)[rows, columns])


@given(st.integers(0, 2**32), st.sampled_from([1, 7, 1 << 14]))
def test_runs_of_any_length_in_parts_of_any_size(seed, at_once):
    rng = np.random.default_rng(seed)
    a, b = boxes_of(rng, 12), boxes_of(rng, 15)
    starts = rng.integers(0, 16, 12)
    stops = np.minimum(starts + rng.integers(0, 9, 12), 15)
    starts = np.minimum(starts, stops)
    before, overlaps.AT_ONCE = overlaps.AT_ONCE, at_once
    try:
        first, second = overlapping(Sides.of(a), Sides.of(b), starts, stops, 0.3)
    finally:
        overlaps.AT_ONCE = before
    over = iou(a, b) > 0.3
    expected = [(i, j) for i in range(12) for j in range(starts[i], stops[i]) if over[i, j]]
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == expected


def test_no_boxes_at_all():
    none = np.zeros(0, np.intp)
    empty = Sides.of(np.zeros((0, 4), np.float32))
    first, second = overlapping(empty, empty, none, none, 0.5)
    assert len(first) == len(second) == 0
