"""The tutorial's loader does the same work as ours: its crops and matches are alike."""

import numpy as np
import pytest

from benchmarks import reference_loader
from benchmarks.data import agree, blank, compare_crops, crops_table, distance, limit
from ssdcore.coco.boxes import Objects

DRAWS = 2000


def image(height, width, boxes, crowd):
    labels = np.arange(1, 1 + len(boxes), dtype=np.int32)
    return blank(height, width, Objects(np.array(boxes, np.float32), labels, np.array(crowd)))


IMAGES = [
    image(480, 640, [[0.1, 0.1, 0.5, 0.4], [0.3, 0.5, 0.9, 0.8]], [False, False]),
    image(640, 480, [[0.4, 0.4, 0.5, 0.5], [0.0, 0.0, 1.0, 0.6]], [False, True]),
    image(400, 300, [[0.2, 0.1, 0.7, 0.9]], [False]),
    image(300, 600, [[0.5, 0.2, 0.7, 0.3]], [True]),
]


def test_crops_and_matches_have_the_same_distributions():
    crops = compare_crops(IMAGES, DRAWS, seed=1)
    assert agree(crops), crops_table(crops)


@pytest.mark.parametrize(("name", "value"), [("LONGEST_ASPECT", 4.0), ("MIN_IOUS", (None, 0.1))])
def test_another_rule_is_found(name, value, monkeypatch):
    monkeypatch.setattr(reference_loader, name, value)
    assert not agree(compare_crops(IMAGES, DRAWS, seed=1))


def test_distance_and_limit_by_hand():
    a, b = np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6, 7])
    assert distance(a, b) == distance(b, a) == pytest.approx(3 / 5)  # up to 4: all and 2 of 5
    assert limit(100, 100) == pytest.approx(1.6276 * np.sqrt(2 / 100), rel=1e-4)
