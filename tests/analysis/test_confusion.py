"""The confusion matrix by hand, and its sums on made-up scenes."""

import numpy as np
import pytest
from scenes import write_scene

from ssdcore.analysis.confusion import confusion
from ssdcore.analysis.outcomes import CORRECT, IGNORED, judge_all
from ssdcore.analysis.pairs import Found, Truth
from ssdcore.analysis.split import Split, read_split

BOX = (0, 0, 40, 40)
ELSEWHERE = (200, 200, 40, 40)
AWRY = (0, 0, 40, 10)


def matrix(objects, detections, threshold=0.0, classes=2):
    """Of (label, box), crowds with a negative label, and (label, score, box), in one image."""
    n, m = len(detections), len(objects)
    truth = Truth(
        np.zeros(m, int),
        np.array([abs(label) for label, _ in objects], int),
        np.array([label < 0 for label, _ in objects], bool),
        np.array([box for _, box in objects], float).reshape(-1, 4),
    )
    found = Found(
        np.zeros(n, int),
        np.array([label for label, _, _ in detections], int),
        np.array([score for _, score, _ in detections], float),
        np.array([box for _, _, box in detections], float).reshape(-1, 4),
    )
    split = Split(tuple("abc"[:classes]), truth, found, np.zeros(m), np.zeros(n), np.zeros(1))
    return confusion(split, judge_all(truth, found), found.score >= threshold).tolist()


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
