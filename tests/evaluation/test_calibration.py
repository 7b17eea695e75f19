"""Calibration by hand, and of scores that are what they say."""

import numpy as np
import pytest

from ssdcore.evaluation.calibration import calibrate


def test_by_hand():
    found = calibrate(np.array([0.12, 0.18, 0.9, 1.0, 0.2]), np.array([0, 1, 1, 1, 0], bool))
    assert [one.detections for one in found.bins] == [0, 2, 1, 0, 0, 0, 0, 0, 0, 2]
    assert [(one.low, one.high) for one in found.bins][1] == (0.1, 0.2)
    assert found.bins[1].mean_score == pytest.approx(0.15)
    assert found.bins[1].precision == 0.5
    assert found.bins[9].mean_score == pytest.approx(0.95)
    assert found.bins[0].mean_score is found.bins[0].precision is None
    expected = (2 * abs(0.15 - 0.5) + 1 * 0.2 + 2 * abs(0.95 - 1)) / 5
    assert found.error == pytest.approx(expected)


def test_a_border_belongs_to_the_bin_above_it():
    borders = np.arange(10) / 10
    found = calibrate(borders, np.zeros(10, bool))
    assert [one.mean_score for one in found.bins] == pytest.approx(borders)


def test_scores_that_are_probabilities_have_no_error(rng):
    score = rng.random(200_000)
    assert calibrate(score, rng.random(200_000) < score).error < 0.005
    assert calibrate(score, rng.random(200_000) < score**2).error == pytest.approx(1 / 6, abs=0.01)


def test_without_detections():
    found = calibrate(np.zeros(0), np.zeros(0, bool))
    assert found.error is None
    assert sum(one.detections for one in found.bins) == 0
