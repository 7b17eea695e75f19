import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssdcore.inference.nms import nms, suppress


def naive_iou(a, b):
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(height, 0) * max(width, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union else 0


def naive_nms(boxes, scores, iou_threshold, most):
    """Compares each box with each kept box, in plain Python."""
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if len(kept) < most and all(naive_iou(boxes[i], boxes[j]) <= iou_threshold for j in kept):
            kept.append(i)
    return kept


@given(st.integers(0, 2**32), st.integers(0, 40), st.sampled_from([0.3, 0.45, 0.6]))
def test_equals_brute_force(seed, count, threshold):
    rng = np.random.default_rng(seed)
    low = rng.random((count, 2)) * 0.5
    boxes = np.concatenate([low, low + 0.1 + rng.random((count, 2)) * 0.4], axis=1)
    scores = rng.integers(0, 8, count) / 8  # with ties
    for most in (3, 100):
        expected = naive_nms(boxes.tolist(), scores.tolist(), threshold, most)
        assert nms(boxes, scores, threshold, most).tolist() == expected


def test_overlap_at_the_threshold_stays():
    boxes = np.array([[0, 0, 1, 1], [0, 0, 0.5, 1]])  # IoU exactly 0.5
    scores = np.array([0.9, 0.8])
    assert nms(boxes, scores, 0.5, 10).tolist() == [0, 1]
    assert nms(boxes, scores, 0.49, 10).tolist() == [0]


@given(st.integers(0, 2**32), st.integers(0, 150), st.sampled_from([1, 7, 100]))
def test_groups_are_suppressed_independently(seed, count, most):
    """Includes groups larger than a block, and chains of overlapping boxes."""
    rng = np.random.default_rng(seed)
    groups = np.sort(rng.integers(0, 6, count) ** 2)
    low = np.sort(rng.random((count, 2)), axis=0) * 0.5
    boxes = np.concatenate([low, low + 0.15 + rng.random((count, 2)) * 0.1], axis=1)
    boxes = boxes.astype(np.float32)
    expected = []
    for group in np.unique(groups):
        (own,) = np.nonzero(groups == group)
        rank = range(len(own), 0, -1)
        expected += own[naive_nms(boxes[own].tolist(), list(rank), 0.45, most)].tolist()
    assert suppress(boxes, groups, 0.45, most).tolist() == expected


def test_one_class_of_all_default_boxes(rng):
    """The largest possible number of boxes in an image."""
    low = rng.random((8732, 2)) * 0.5
    boxes = np.concatenate([low, low + 0.01 + rng.random((8732, 2)) * 0.4], axis=1)
    scores = rng.random(8732)
    expected = naive_nms(boxes.tolist(), scores.tolist(), 0.45, 60)
    assert nms(boxes, scores, 0.45, 60).tolist() == expected
