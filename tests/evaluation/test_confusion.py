import numpy as np
import pytest

from ssdcore.evaluation.confusion import confusion, confusion_matrix
from tests.evaluation.scenes import judged_scene, one_image

BOX = (0, 0, 40, 40)
ELSEWHERE = (200, 200, 40, 40)
LOOSE = (0, 0, 40, 10)


def matrix(objects, detections, classes=2):
    """Of (label, box), crowds with a negative label, and (label, score, box), in one image."""
    judged = one_image(objects, detections, classes)
    return confusion_matrix(judged, judged.split.found.score >= 0).tolist()


@pytest.mark.parametrize(
    ("objects", "detections", "expected"),
    [
        ([(1, BOX)], [(1, 0.9, BOX)], [[1, 0, 0], [0, 0, 0], [0, 0, 0]]),
        ([(1, BOX)], [(2, 0.9, BOX)], [[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
        ([(1, BOX)], [(1, 0.9, LOOSE)], [[0, 0, 1], [0, 0, 0], [1, 0, 0]]),
        # the right class takes the object though it scores less
        ([(1, BOX)], [(2, 0.9, BOX), (1, 0.2, BOX)], [[1, 0, 0], [0, 0, 0], [0, 1, 0]]),
        # a crowd is not to be found, and detections in it do not count
        ([(-1, BOX)], [(1, 0.9, BOX), (2, 0.8, BOX)], [[0, 0, 0], [0, 0, 0], [0, 1, 0]]),
        ([(1, BOX), (2, ELSEWHERE)], [], [[0, 0, 1], [0, 0, 1], [0, 0, 0]]),
        ([], [(2, 0.9, BOX)], [[0, 0, 0], [0, 0, 0], [0, 1, 0]]),
        ([], [], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    ],
)
def test_by_hand(objects, detections, expected):
    assert matrix(objects, detections) == expected


@pytest.mark.parametrize(("scores", "expected"), [((0.9, 0.8), [1, 0]), ((0.8, 0.9), [0, 1])])
def test_of_two_wrong_detections_the_higher_score_takes_the_object(scores, expected):
    found = [(1, scores[0], BOX), (2, scores[1], BOX)]
    assert matrix([(3, BOX)], found, classes=3)[2] == [*expected, 0, 0]


@pytest.mark.parametrize("threshold", [0, 0.4, 0.8, 2])
def test_rows_are_objects_columns_detections_and_the_diagonal_correct_ones(tmp_path, threshold):
    judged = judged_scene(tmp_path, 3)
    split = judged.split
    shown = split.found.score >= threshold
    counts = confusion_matrix(judged, shown)
    assert counts[:-1].sum(axis=1).tolist() == split.objects().tolist()
    labels = split.found.label[shown & judged.counted]
    assert counts[:, :-1].sum(axis=0).tolist() == np.bincount(labels, minlength=5)[1:].tolist()
    correct = split.found.label[shown & judged.correct]
    assert counts.diagonal()[:-1].tolist() == np.bincount(correct, minlength=5)[1:].tolist()
    assert counts[-1, -1] == 0


def test_the_table_has_a_row_for_each_object_and_invented_detection(tmp_path):
    judged = judged_scene(tmp_path, 3)
    table = confusion(judged)
    names = ("cat", "dog", "owl", "unseen", "background")
    counts = [[table.rows.count((actual, got)) for got in names] for actual in names]
    assert counts == confusion_matrix(judged, judged.shown).tolist()
    assert table.chart.order == names
