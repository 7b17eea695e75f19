import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssdcore.geometry import matching
from ssdcore.geometry.default_boxes import corners, default_boxes
from ssdcore.geometry.iou import iou_matrix
from ssdcore.geometry.matching import BACKGROUND, IGNORED, encode_targets, match


@pytest.mark.parametrize("case", range(5))
def test_equals_the_reference(golden, case):
    truth = golden[f"encode{case}_gt_y1x1y2x2_label"]
    targets = encode_targets(truth[:, :4], truth[:, 4].astype(np.int32), default_boxes())
    positive = np.flatnonzero(targets.labels > 0)
    np.testing.assert_array_equal(positive, golden[f"encode{case}_index"])
    np.testing.assert_array_equal(targets.labels[positive], golden[f"encode{case}_label"])
    np.testing.assert_allclose(
        targets.offsets[positive], golden[f"encode{case}_offsets"], atol=1e-5
    )
    assert targets.num_positives == len(positive)
    assert not targets.offsets[targets.labels == 0].any()


def naive_match(boxes, priors):
    """The matching rule, written as loops."""
    overlap = iou_matrix(boxes, corners(priors))
    owner = [-1] * len(priors)
    forced = {}
    for n in range(len(boxes)):
        forced.setdefault(int(overlap[n].argmax()), n)
    for k in range(len(priors)):
        candidates = [n for n in range(len(boxes)) if overlap[n, k] > 0.5]
        if candidates:
            owner[k] = max(candidates, key=lambda n: (overlap[n, k], -n))
    for k, n in forced.items():
        owner[k] = n
    return owner


def test_equals_a_loop(rng):
    priors = default_boxes()
    for count in (1, 3, 17):
        low = rng.random((count, 2)) * 0.7
        boxes = np.concatenate([low, low + rng.random((count, 2)) * 0.4], 1).astype(np.float32)
        assert match(boxes, priors).tolist() == naive_match(boxes, priors)


def naive_one_to_one(boxes, priors):
    """Pair by pair: the highest IoU of all that are left, and the nearest of equals."""
    overlap = iou_matrix(boxes, corners(priors))
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    left, free = set(range(len(boxes))), set(range(len(priors)))
    owner = [-1] * len(priors)
    while left:
        highest = {n: overlap[n, sorted(free)].max() for n in left}
        n = max(left, key=lambda n: (highest[n], -n))
        equal = [k for k in sorted(free) if overlap[n, k] >= highest[n] - matching.EQUAL_IOU]
        k = min(equal, key=lambda k: ((priors[k, :2] - centres[n]) ** 2).sum())
        owner[k] = n
        left.remove(n)
        free.remove(k)
    for k in free:
        candidates = [n for n in range(len(boxes)) if overlap[n, k] > 0.5]
        if candidates:
            owner[k] = max(candidates, key=lambda n: (overlap[n, k], -n))
    return owner


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 12),
    largest=st.sampled_from([0.0, 0.2, 1.0]),
    copies=st.booleans(),
)
def test_one_to_one_equals_a_loop(seed, count, largest, copies):
    """Also with points, and with more objects in one place than default boxes near it."""
    rng = np.random.default_rng(seed)
    priors = default_boxes()[-130:]
    low = rng.random((count, 2)) * (1 - largest)
    high = low + rng.random((count, 2)) * largest
    boxes = np.concatenate([low, high], axis=1).astype(np.float32)
    if copies:
        boxes = boxes[rng.integers(0, max(1, count // 3), count)]
    owner = match(boxes, priors, one_to_one=True)
    assert owner.tolist() == naive_one_to_one(boxes, priors)
    assert set(range(count)) <= set(owner.tolist())


def test_of_equal_default_boxes_the_nearest_is_the_object_s():
    """Every square of side 0.1 inside the object has an IoU of 1/16 with it."""
    only = default_boxes()[: 38 * 38 * 4 : 4]
    boxes = np.array([[0.31, 0.41, 0.71, 0.81]], np.float32)
    (best,) = np.flatnonzero(match(boxes, only, one_to_one=True) == 0)
    assert abs(only[best, :2] - [0.51, 0.61]).max() <= 4 / 300
    (first,) = np.flatnonzero(match(boxes, only) == 0)
    assert abs(only[first, :2] - [0.51, 0.61]).max() > 0.1


def test_of_two_objects_with_one_best_default_box_both_get_one():
    """The better one keeps it, also as the second; without one_to_one the first alone has it."""
    priors = np.array([[0.3, 0.3, 0.4, 0.4], [0.7, 0.7, 0.4, 0.4]], np.float32)
    boxes = np.array([[0.1, 0.1, 0.5, 0.2], [0.1, 0.1, 0.5, 0.45]], np.float32)
    assert match(boxes, priors, one_to_one=True).tolist() == [1, 0]
    assert match(boxes, priors).tolist() == [0, -1]


def test_the_first_of_two_equal_boxes_gets_the_match():
    boxes = np.array([[0.2, 0.2, 0.5, 0.5]] * 2, np.float32)
    owner = match(boxes, default_boxes())
    assert set(owner) == {-1, 0}


def test_no_objects():
    targets = encode_targets(np.zeros((0, 4)), np.zeros(0, np.int32), default_boxes())
    assert targets.num_positives == 0
    assert not targets.labels.any()
    assert not targets.offsets.any()
    assert targets.labels.dtype == np.int32


def test_crowd_regions_are_ignored_but_objects_in_them_count():
    boxes = np.array([[0.0, 0.0, 1.0, 0.5], [0.1, 0.1, 0.3, 0.3]], np.float32)
    crowd = np.array([True, False])
    targets = encode_targets(boxes, np.array([7, 3], np.int32), default_boxes(), crowd)
    assert set(targets.labels) == {IGNORED, BACKGROUND, 3}
    inside = corners(default_boxes())[:, 3] < 0.5
    assert (targets.labels[inside] != BACKGROUND).all()
    right = corners(default_boxes())[:, 1] > 0.5
    assert (targets.labels[right] == BACKGROUND).all()
