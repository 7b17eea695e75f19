import numpy as np
import pytest

from ssdcore.geometry import coverage
from ssdcore.geometry.coverage import best_overlaps

DEFAULT_BOXES = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 1, 1]], np.float32)


def test_by_hand():
    boxes = np.array([[0, 0, 0.5, 0.25], [0.5, 0.5, 1, 1], [0, 0, 1, 0.75]], np.float32)
    assert best_overlaps(boxes, DEFAULT_BOXES) == pytest.approx([0.5, 1, 0.75])


def test_the_size_of_a_part_changes_nothing(rng, monkeypatch):
    corners = np.sort(rng.random((50, 2, 2)), axis=1).reshape(50, 4)[:, [0, 1, 2, 3]]
    whole = best_overlaps(corners.astype(np.float32), DEFAULT_BOXES)
    monkeypatch.setattr(coverage, "AT_ONCE", 7)
    np.testing.assert_array_equal(best_overlaps(corners.astype(np.float32), DEFAULT_BOXES), whole)


def test_no_objects():
    assert best_overlaps(np.zeros((0, 4), np.float32), DEFAULT_BOXES).shape == (0,)
