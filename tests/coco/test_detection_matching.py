import numpy as np
import pytest
from pycocotools import mask

from ssdcore.coco import detection_matching
from ssdcore.coco.detection_matching import Found, Truth, overlapping, ranks


@pytest.mark.parametrize("at_once", [1, 40, 1 << 18])
def test_equals_pycocotools(rng, monkeypatch, at_once):
    monkeypatch.setattr(detection_matching, "AT_ONCE", at_once)
    n, m, images = 120, 60, 9
    truth = Truth(
        rng.integers(0, images, m), np.ones(m, int), rng.random(m) < 0.2, rng.random((m, 4)) * 90
    )
    found = Found(
        rng.integers(0, images + 1, n), np.ones(n, int), rng.random(n), rng.random((n, 4)) * 90
    )
    found.boxes_xywh[0, 2] = 0
    expected = mask.iou(found.boxes_xywh, truth.boxes_xywh, truth.crowd.tolist())
    expected[found.image[:, None] != truth.image] = 0
    result = overlapping(truth, found, 1e-9)
    table = np.zeros((n, m))
    table[result.detection, result.object] = result.overlap
    assert len(result.overlap) == (expected > 0).sum()
    np.testing.assert_array_equal(table, expected)
    least = overlapping(truth, found, 0.3)
    assert len(least.overlap) == (expected >= 0.3).sum()


def test_ranks_are_places_by_falling_score_equals_in_their_order():
    group, score = np.array([5, 2, 5, 5, 2]), np.array([0.1, 0.3, 0.9, 0.1, 0.3])
    assert ranks(group, score).tolist() == [1, 0, 0, 2, 1]
    assert ranks(group[:0], score[:0]).tolist() == []
