"""The confusion matrix by hand, and its sums on made-up scenes."""

import numpy as np
import pytest

from ssdcore.evaluation.confusion import confusion
from ssdcore.evaluation.outcomes import CORRECT, IGNORED, judge_all
from ssdcore.evaluation.split import read_split
from tests.evaluation.scenes import one_image, write_scene

BOX = (0, 0, 40, 40)
ELSEWHERE = (200, 200, 40, 40)
AWRY = (0, 0, 40, 10)


def matrix(objects, detections, threshold=0.0, classes=2):
    """Of (label, box), crowds with a negative label, and (label, score, box), in one image."""
    split = one_image(objects, detections, classes)
    shown = split.found.score >= threshold
    return confusion(split, judge_all(split.truth, split.found), shown).tolist()


@pytest.mark.parametrize(
    ("objects", "detections", "expected"),
    [
        ([(1, BOX)], [(1, 0.9, BOX)], [[1, 0, 0], [0, 0, 0], [0, 0, 0]]),
        ([(1, BOX)], [(2, 0.9, BOX)], [[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
        ([(1, BOX)], [(1, 0.9, AWRY)], [[0, 0, 1], [0, 0, 0], [1, 0, 0]]),
        # the right class takes the object though it scores less
        ([(1, BOX)], [(2, 0.9, BOX), (1, 0.2, BOX)], [[1, 0, 0], [0, 0, 0], [0, 1, 0]]),
        # a crowd is nothing to find, and what lies in it is not counted
        ([(-1, BOX)], [(1, 0.9, BOX), (2, 0.8, BOX)], [[0, 0, 0], [0, 0, 0], [0, 1, 0]]),
        ([(1, BOX), (2, ELSEWHERE)], [], [[0, 0, 1], [0, 0, 1], [0, 0, 0]]),
        ([], [(2, 0.9, BOX)], [[0, 0, 0], [0, 0, 0], [0, 1, 0]]),
        ([], [], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    ],
)
def test_by_hand(objects, detections, expected):
    assert matrix(objects, detections) == expected


@pytest.mark.parametrize(("scores", "expected"), [((0.9, 0.8), [1, 0]), ((0.8, 0.9), [0, 1])])
def test_of_two_wrong_ones_the_better_score_takes_the_object(scores, expected):
    found = [(1, scores[0], BOX), (2, scores[1], BOX)]
    assert matrix([(3, BOX)], found, classes=3)[2] == [*expected, 0, 0]


def test_below_the_threshold_nothing_counts():
    found = [(1, 0.4, BOX), (2, 0.4, ELSEWHERE)]
    assert matrix([(1, BOX)], found, 0.4) == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert matrix([(1, BOX)], found, 0.5) == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("threshold", [0, 0.4, 0.8, 2])
def test_rows_are_objects_columns_detections_and_the_diagonal_what_is_correct(tmp_path, threshold):
    split = read_split(*write_scene(tmp_path, 3))
    verdict = judge_all(split.truth, split.found)
    shown = split.found.score >= threshold
    counts = confusion(split, verdict, shown)
    assert counts[:-1].sum(axis=1).tolist() == split.objects().tolist()
    labels = split.found.label[shown & (verdict.kinds != IGNORED)]
    assert counts[:, :-1].sum(axis=0).tolist() == np.bincount(labels, minlength=5)[1:].tolist()
    correct = split.found.label[shown & (verdict.kinds == CORRECT)]
    assert counts.diagonal()[:-1].tolist() == np.bincount(correct, minlength=5)[1:].tolist()
    assert counts[-1, -1] == 0
