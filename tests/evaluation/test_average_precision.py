import numpy as np
import pytest

from ssdcore.coco.detection_matching import Found
from ssdcore.evaluation.average_precision import average_precisions


@pytest.mark.parametrize(("correct", "expected"), [([True, False], 1), ([False, True], 1 / 2)])
def test_equal_scores_keep_their_order_by_image(correct, expected):
    found = Found(np.arange(2), np.ones(2, int), np.full(2, 0.5), np.zeros((2, 4)))
    hits = np.array(correct)[:, None]
    assert average_precisions(found, hits, ~hits, np.array([1]))[0, 0] == pytest.approx(expected)
