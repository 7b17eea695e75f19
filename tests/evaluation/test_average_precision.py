"""AP against pycocotools on its own decisions; by hand."""

import numpy as np
import pytest

from ssdcore.coco.matching import Found
from ssdcore.coco.metrics import UNDEFINED, mean_defined
from ssdcore.evaluation.average_precision import average_precisions


def found(labels, scores):
    n = len(labels)
    return Found(np.arange(n), np.array(labels, int), np.array(scores, float), np.zeros((n, 4)))


def average_precision(scores, correct, objects, wrong=None):
    correct = np.array(correct, bool)
    wrong = ~correct if wrong is None else np.array(wrong, bool)
    rows = found([1] * len(scores), scores)
    return average_precisions(rows, correct[:, None], wrong[:, None], np.array([objects]))[0, 0]


@pytest.mark.parametrize(
    ("scores", "correct", "objects", "expected"),
    [
        ([0.9], [True], 1, 1),
        ([0.9], [False], 1, 0),
        ([], [], 1, 0),
        ([0.9, 0.8], [False, True], 1, 1 / 2),
        ([0.8, 0.9], [True, False], 1, 1 / 2),
        # recall 1/4 with precision 1: recalls 0 … 0.25 of 101
        ([0.9], [True], 4, 26 / 101),
        # precision 1 up to recall 0.5, then 2/3: the dip to 1/2 between is levelled
        ([0.9, 0.8, 0.7], [True, False, True], 2, (51 + 50 * 2 / 3) / 101),
    ],
)
def test_by_hand(scores, correct, objects, expected):
    assert average_precision(scores, correct, objects) == pytest.approx(expected)


def test_what_is_neither_correct_nor_wrong_does_not_count():
    assert average_precision([0.9, 0.8], [False, True], 1, wrong=[False, False]) == pytest.approx(1)


def test_equal_scores_keep_their_order_by_image():
    assert average_precision([0.5, 0.5], [True, False], 1) == pytest.approx(1)
    assert average_precision([0.5, 0.5], [False, True], 1) == pytest.approx(1 / 2)


def test_each_class_has_its_own_and_none_without_objects():
    rows = found([1, 2, 3, 3], [0.9, 0.9, 0.9, 0.8])
    correct = np.array([True, False, False, True])[:, None]
    result = average_precisions(rows, correct, ~correct, np.array([1, 0, 1, 2]))[:, 0]
    assert result == pytest.approx([1, UNDEFINED, 1 / 2, 0])
    assert mean_defined(result) == pytest.approx(1 / 2)
    assert mean_defined(result[1:2]) == UNDEFINED
