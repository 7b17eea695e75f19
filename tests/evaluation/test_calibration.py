import numpy as np
import pytest

from ssdcore.evaluation.calibration import calibration
from ssdcore.evaluation.named_table import Table
from tests.evaluation.scenes import one_image

BOX, ELSEWHERE = (0, 0, 10, 10), (50, 50, 10, 10)


def calibrate(score, correct) -> Table:
    """The calibration of detections, each in its own class on its own object or on none."""
    found = [
        (n, float(s), BOX if hit else ELSEWHERE)
        for n, (s, hit) in enumerate(zip(score, correct, strict=True), start=1)
    ]
    return calibration(one_image([(n, BOX) for n, _, _ in found], found, max(1, len(found))))


def test_by_hand():
    found = calibrate(np.array([0.12, 0.18, 0.9, 1.0, 0.2]), np.array([0, 1, 1, 1, 0], bool))
    assert found.values("detections") == [0, 2, 1, 0, 0, 0, 0, 0, 0, 2]
    assert found.rows[1][:2] == (0.1, 0.2)
    assert found.values("mean_score")[1] == pytest.approx(0.15)
    assert found.values("precision")[1] == 0.5
    assert found.values("mean_score")[9] == pytest.approx(0.95)
    assert found.values("mean_score")[0] is found.values("precision")[0] is None
    expected = (2 * abs(0.15 - 0.5) + 1 * 0.2 + 2 * abs(0.95 - 1)) / 5
    assert found.scalars["calibration_error"] == pytest.approx(expected)


def test_a_border_belongs_to_the_bin_above_it():
    borders = np.arange(10) / 10
    found = calibrate(borders, np.zeros(10, bool))
    assert found.values("mean_score") == pytest.approx(borders)


def test_scores_that_are_probabilities_have_no_error(rng):
    score = rng.random(800)
    for likely, error in ((score, 0), (score**2, 1 / 6)):
        found = calibrate(score, rng.random(800) < likely)
        assert found.scalars["calibration_error"] == pytest.approx(error, abs=0.05)


def test_without_detections():
    found = calibrate(np.zeros(0), np.zeros(0, bool))
    assert found.scalars["calibration_error"] is None
    assert sum(found.values("detections")) == 0
