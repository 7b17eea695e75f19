"""The tutorial's loop finds what our evaluation finds, on outputs like a trained network's."""

import numpy as np
import pytest

from benchmarks import evaluate
from benchmarks.evaluate import DIFFERENT, EQUAL_SCORES, FOUND, PRESETS, compare, thresholds
from benchmarks.network_outputs import batches
from benchmarks.reference_evaluation import Settings, reference_results


@pytest.fixture(scope="module")
def outputs():
    (outputs,) = batches(12, 12)
    return outputs


@pytest.mark.parametrize("preset", PRESETS)
def test_both_find_the_same(outputs, preset):
    _, counts = compare(outputs[:4], thresholds(preset), ours_first=True)
    assert counts[DIFFERENT] == 0
    assert counts[FOUND] > 60
    coarse = [one._replace(probabilities=np.round(one.probabilities, 3)) for one in outputs]
    _, counts = compare(coarse, thresholds(preset), ours_first=True)
    assert counts[DIFFERENT] == 0 < counts[EQUAL_SCORES]


def test_a_difference_is_found(outputs, monkeypatch):
    ours = evaluate.detect
    monkeypatch.setattr(
        evaluate, "detect", lambda *a, **k: [f._replace(scores=f.scores / 2) for f in ours(*a, **k)]
    )
    _, counts = compare(outputs[:1], thresholds(next(iter(PRESETS))), ours_first=False)
    assert counts[DIFFERENT] > 0


def test_the_tutorials_results_by_hand():
    boxes = np.array([[0.1, 0.2, 0.3, 0.6], [0.1, 0.2, 0.3, 0.6], [0, 0, 1, 1]], np.float32)
    scores = np.array([[0, 0.7, 0.2], [0, 0.8, 0.1], [0.9, 0.1, 0]], np.float32)
    image_hw = np.array([100, 200], np.float32)
    results = reference_results(boxes, scores, 7, image_hw, {1: 3, 2: 90}, Settings())
    assert [(r["image_id"], r["category_id"]) for r in results] == [(7, 3), (7, 90)]
    assert [r["score"] for r in results] == pytest.approx([0.8, 0.2])
    assert results[0]["bbox"] == pytest.approx([40, 10, 80, 20], rel=1e-5)
