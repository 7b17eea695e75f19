import numpy as np
import pytest

from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.report.gallery import GALLERIES, Tally, choose, image_tally


def truth(*objects: tuple[list[float], int, bool]) -> Objects:
    return Objects(
        np.array([box for box, _, _ in objects], np.float32).reshape(-1, 4),
        np.array([label for _, label, _ in objects], np.int32),
        np.array([crowd for _, _, crowd in objects], bool),
    )


def found(*objects: tuple[list[float], int, float]) -> Detections:
    return Detections(
        np.array([box for box, _, _ in objects], np.float32).reshape(-1, 4),
        np.array([label for _, label, _ in objects], np.int32),
        np.array([score for _, _, score in objects], np.float32),
    )


def image_f1(objects: Objects, detections: Detections, score_threshold: float) -> float:
    return image_tally(objects, detections, score_threshold).f1


A, B = [0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]


def test_hits_misses_and_extras_by_hand() -> None:
    objects = truth((A, 1, False), (B, 2, False))
    detections = found((A, 1, 0.9), (A, 1, 0.8), (B, 3, 0.7))  # a hit, its double, a wrong class
    assert image_tally(objects, detections, 0.5) == Tally(
        hits=1, misses=1, extras=2, unseen=0, invented=0, confused=1
    )  # the wrong class is on the object that was missed, so this one was seen
    assert image_f1(objects, detections, 0.5) == pytest.approx(2 * 1 / (2 * 1 + 1 + 2))


def test_the_score_threshold_is_inclusive() -> None:
    assert image_f1(truth((A, 1, False)), found((A, 1, 0.5)), 0.5) == 1
    assert image_f1(truth((A, 1, False)), found((A, 1, 0.49)), 0.5) == 0


def test_the_iou_threshold_is_inclusive() -> None:
    half = [0.0, 0.0, 0.5, 1.0]  # of the unit square: IoU exactly 0.5
    less = [0.0, 0.0, 0.49, 1.0]
    square = truth(([0.0, 0.0, 1.0, 1.0], 0, False))
    assert image_f1(square, found((half, 0, 1.0)), 0.5) == 1
    assert image_f1(square, found((less, 0, 1.0)), 0.5) == 0


def test_the_highest_score_chooses_first_whatever_the_order() -> None:
    # The surer detection overlaps only the first object enough, the other one both of them.
    first, second = [0.0, 0.0, 1.0, 0.5], [0.0, 0.2, 1.0, 0.7]
    sure, unsure = [0.0, 0.0, 1.0, 0.5], [0.0, 0.08, 1.0, 0.58]
    objects = truth((first, 0, False), (second, 0, False))
    detections = found((unsure, 0, 0.6), (sure, 0, 0.9))
    assert image_tally(objects, detections, 0.5) == Tally(2, 0, 0, 0, 0, 0)


def test_a_detection_takes_the_object_it_overlaps_most() -> None:
    # The surer one overlaps both enough; only if it leaves the far one, that is found as well.
    near, far = [0.0, 0.0, 1.0, 0.6], [0.0, 0.0, 1.0, 0.9]
    objects = truth((far, 0, False), (near, 0, False))
    detections = found((near, 0, 0.9), ([0.0, 0.3, 1.0, 0.9], 0, 0.8))
    assert image_tally(objects, detections, 0.5) == Tally(2, 0, 0, 0, 0, 0)


def test_a_crowd_is_neither_missed_nor_hit() -> None:
    crowd = truth((A, 1, False), ([0.45, 0.45, 0.95, 0.95], 1, True))
    inside, other_class = (B, 1, 0.9), (B, 2, 0.9)
    assert image_tally(crowd, found(), 0.5) == Tally(0, 1, 0, 1, 0, 0)
    assert image_tally(crowd, found((A, 1, 0.9), inside, inside), 0.5) == Tally(1, 0, 0, 0, 0, 0)
    assert image_tally(crowd, found(other_class), 0.5) == Tally(0, 1, 1, 1, 1, 0)
    assert image_tally(crowd, found(([0.0, 0.5, 0.5, 0.9], 1, 0.9)), 0.5) == Tally(0, 1, 1, 1, 1, 0)


def test_empty_images() -> None:
    assert image_f1(truth(), found(), 0.5) == 1
    assert image_f1(truth(), found((A, 1, 0.9)), 0.5) == 0
    assert image_f1(truth((A, 1, False)), found(), 0.5) == 0


def images(*tallies: tuple[int, int, int, int, int, int]) -> list[Tally]:
    return [Tally(*numbers) for numbers in tallies]


def test_each_gallery_by_hand() -> None:
    tallies = images(
        (4, 0, 0, 0, 0, 0),  # 0: flawless
        (1, 0, 0, 0, 0, 0),  # 1: flawless, with less in it
        (0, 0, 0, 0, 0, 0),  # 2: empty, and nothing found
        (0, 2, 1, 2, 1, 0),  # 3: nothing right
        (0, 5, 5, 1, 3, 2),  # 4: nothing right, and more of it
        (3, 1, 1, 0, 0, 1),  # 5: F1 0.75
    )
    assert choose(tallies, 9) == {
        "worst": [4, 3, 5],
        "best": [0, 1, 5],
        "missed": [3, 4],
        "invented": [4, 3],
        "confused": [4, 5],
    }
    assert choose(tallies, 1) == {
        "worst": [4], "best": [0], "missed": [3], "invented": [4], "confused": [4]
    }  # fmt: skip


def test_galleries_without_fitting_images_are_empty() -> None:
    assert choose(images((0, 0, 0, 0, 0, 0)), 5) == {key: [] for key in GALLERIES}
    assert choose([], 5) == {key: [] for key in GALLERIES}
    assert choose(images((1, 1, 1, 1, 1, 1)), 0) == {key: [] for key in GALLERIES}


def test_among_equals_the_lower_index_comes_first() -> None:
    assert choose(images(*[(1, 1, 1, 1, 1, 1)] * 5), 2) == {key: [0, 1] for key in GALLERIES}
