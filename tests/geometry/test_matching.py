import numpy as np
import pytest

from ssdcore.geometry import matching
from ssdcore.geometry.default_boxes import corners, default_boxes
from ssdcore.geometry.iou import iou_matrix
from ssdcore.geometry.matching import BACKGROUND, IGNORED, best_overlaps, encode_targets, match


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


def test_best_overlaps_by_hand(monkeypatch):
    some = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 1, 1]], np.float32)
    boxes = np.array([[0, 0, 0.5, 0.25], [0.5, 0.5, 1, 1], [0, 0, 1, 0.75]], np.float32)
    assert best_overlaps(boxes, some) == pytest.approx([0.5, 1, 0.75])
    monkeypatch.setattr(matching, "BOXES_AT_ONCE", 2)
    assert best_overlaps(boxes, some) == pytest.approx([0.5, 1, 0.75])
    assert best_overlaps(boxes[:0], some).shape == (0,)
