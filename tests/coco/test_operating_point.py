import numpy as np
import pytest

from ssdcore.coco.operating_point import OperatingPoint, best_threshold, operating_point, rank


def ranked(scores, correct, objects):
    return rank(np.array(scores, float), np.array(correct, bool), objects)


def counted(scores, correct, objects, threshold):
    """Precision, recall and F1 of the detections that score the threshold or more."""
    hits = sum(c for s, c in zip(scores, correct, strict=True) if s >= threshold)
    kept = sum(s >= threshold for s in scores)
    precision = hits / kept if kept else None
    recall = hits / objects
    if not hits:
        return precision, recall, 0
    return precision, recall, 2 * precision * recall / (precision + recall)


def test_by_hand():
    detections = ranked([0.3, 0.9, 0.6], [True, True, False], 4)
    assert operating_point(detections, 0.6) == OperatingPoint(1 / 2, 1 / 4, 2 / 6, 1, 1, 3)
    assert operating_point(detections, 0.61) == OperatingPoint(1, 1 / 4, 2 / 5, 1, 0, 3)
    assert best_threshold(detections) == 0.3


@pytest.mark.parametrize("seed", range(5))
def test_equals_counting_at_every_threshold(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 101, 80) / 100  # many equal, and all on the grid
    correct = rng.random(80) < scores
    detections = ranked(scores, correct, 70)
    for threshold in (np.arange(101) / 100).tolist():
        expected = counted(scores, correct, 70, threshold)
        assert operating_point(detections, threshold)[:3] == pytest.approx(expected)
    best = max(counted(scores, correct, 70, one)[2] for one in scores)
    threshold = best_threshold(detections)
    assert threshold in scores
    assert counted(scores, correct, 70, threshold)[2] == pytest.approx(best)


def test_of_equal_f1_the_higher_threshold():
    # 0.9: 2 · 1 / (1 + 2) = 2/3; 0.5: 2 · 2 / (4 + 2) = 2/3
    detections = ranked([0.9, 0.8, 0.7, 0.5], [True, False, False, True], 2)
    assert best_threshold(detections) == 0.9


def test_without_detections():
    nothing = ranked([], [], 3)
    assert operating_point(nothing, 0) == OperatingPoint(None, 0, 0, 0, 0, 3)
    assert best_threshold(nothing) is None


def test_without_objects():
    invented = ranked([0.9], [False], 0)
    assert operating_point(invented, 0.5) == OperatingPoint(0, None, None, 0, 1, 0)
    assert best_threshold(invented) is None
    assert operating_point(ranked([], [], 0), 0) == OperatingPoint(None, None, None, 0, 0, 0)
