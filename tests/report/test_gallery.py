import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoImage
from ssdcore.evaluation.outcomes import judge_image
from ssdcore.report.content import Box
from ssdcore.report.gallery import (
    ENCODINGS,
    JudgedImage,
    Tally,
    choose_galleries,
    detection_boxes,
    encode_within,
    gallery_images,
    object_boxes,
)
from tests.data.samples import detections, objects
from tests.report.grey_images import row, table, write_split

A, B = [0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]
IMAGE = CocoImage(1, "a.jpg", 100, 100)


def tally(truth: list[tuple], found: list[tuple]) -> Tally:
    """Judges (box, label, crowd) and (box, label, score) rows of one image."""
    shown = objects(*([row[n] for row in truth] for n in range(3)))
    detected = detections(*([row[n] for row in found] for n in range(3)))
    return JudgedImage(IMAGE, shown, detected, judge_image(shown, detected)).tally


def test_hits_misses_and_extras_by_hand():
    truth = [(A, 1, False), (B, 2, False)]
    found = [(A, 1, 0.9), (A, 1, 0.8), (B, 3, 0.7)]  # a hit, its double, a wrong class
    counted = tally(truth, found)
    # the wrong class is on the object that was missed, so it is not unseen
    assert counted == Tally(hits=1, misses=1, extras=2, unseen=0, invented=0, confused=1)
    assert counted.f1 == pytest.approx(2 * 1 / (2 * 1 + 1 + 2))


def test_a_crowd_is_neither_missed_nor_hit():
    crowd = [(A, 1, False), ([0.45, 0.45, 0.95, 0.95], 1, True)]
    inside, other_class = (B, 1, 0.9), (B, 2, 0.9)
    assert tally(crowd, []) == Tally(0, 1, 0, 1, 0, 0)
    assert tally(crowd, [(A, 1, 0.9), inside, inside]) == Tally(1, 0, 0, 0, 0, 0)
    assert tally(crowd, [other_class]) == Tally(0, 1, 1, 1, 1, 0)


def test_f1_of_empty_images():
    assert tally([], []).f1 == 1
    assert tally([], [(A, 1, 0.9)]).f1 == 0
    assert tally([(A, 1, False)], []).f1 == 0


def test_each_gallery_by_hand():
    images = [
        Tally(4, 0, 0, 0, 0, 0),  # 0: flawless
        Tally(1, 0, 0, 0, 0, 0),  # 1: flawless, with fewer objects
        Tally(0, 0, 0, 0, 0, 0),  # 2: empty
        Tally(0, 2, 1, 2, 1, 0),  # 3: nothing right
        Tally(0, 5, 5, 1, 3, 2),  # 4: nothing right, more mistakes
        Tally(3, 1, 1, 0, 0, 1),  # 5: F1 0.75
    ]
    assert choose_galleries(images, 9) == {
        "worst": [4, 3, 5],
        "best": [0, 1, 5],
        "missed": [3, 4],
        "invented": [4, 3],
        "confused": [4, 5],
    }
    assert choose_galleries(images, 1) == {
        "worst": [4], "best": [0], "missed": [3], "invented": [4], "confused": [4]
    }  # fmt: skip


def test_images_are_chosen_by_the_threshold_and_appear_once(tmp_path):
    results = table(row(2), row(3), row(3, bbox=(60, 0, 10, 10)), row(1, score=0.3))
    images = gallery_images(write_split(tmp_path, 3), results, count=9, score_threshold=0.5)
    assert {image.file_name: image.galleries for image in images} == {
        "1.png": {"worst": 0, "missed": 0},
        "2.png": {"best": 0},
        "3.png": {"worst": 1, "best": 1, "invented": 0},
    }


def test_boxes_are_in_percent_with_their_outcomes(tmp_path):
    results = table(row(1, score=0.3), row(1, bbox=(60, 0, 20, 15)), row(1, score=0.04))
    (image,) = gallery_images(write_split(tmp_path, 1), results, 1, 0.5)
    assert (image.width, image.height) == (80, 60)
    assert image.boxes == [
        Box((12.5, 50, 50, 33.33), "missed", 1, 1, "object"),
        Box((75, 0, 25, 25), "background", 1, 0, -1, 0.9),
        Box((12.5, 50, 50, 33.33), "correct", 1, 1, 0, 0.3),
    ]  # the one of 0.3 can be shown, but did not count; the one of 0.04 is left out


def test_boxes_are_clipped_and_detections_refer_to_their_objects():
    truth = objects([A, B], [2, 1], [False, True])
    assert object_boxes(truth, np.array([True, False])) == [
        Box((0, 0, 40, 40), "missed", 2, 2, "object"), Box((50, 50, 40, 40), "truth", 1, 1, "crowd")
    ]  # fmt: skip
    found = detections([A, [-0.1, 0.9, 0.1, 1.2]], [1, 2], [0.8766, 0.3])
    assert detection_boxes(found, judge_image(truth, found), truth) == [
        Box((0, 0, 40, 40), "class", 1, 2, 0, 0.8766),
        Box((90, 0, 10, 10), "background", 2, 0, -1, 0.3),
    ]


def test_a_low_threshold_includes_fainter_detections(tmp_path):
    results = table(row(1, score=0.04), row(1, score=0.01))
    (image,) = gallery_images(write_split(tmp_path, 1), results, 1, 0.02)
    assert [box.score for box in image.boxes if box.score] == [0.04]


def test_images_are_encoded_smaller_until_all_fit_the_budget(rng):
    noise = [rng.integers(0, 255, (700, 500, 3), dtype=np.uint8) for _ in range(3)]
    sides = []
    for budget in (10_000_000, 300_000, 1):
        jpegs = encode_within(noise, budget)
        decoded = cv2.imdecode(np.frombuffer(jpegs[0], np.uint8), cv2.IMREAD_COLOR)
        sides.append(max(decoded.shape))
        assert sum(map(len, jpegs)) <= budget or max(decoded.shape) == ENCODINGS[-1][0]
    assert sides[0] == ENCODINGS[0][0] > sides[1] > sides[2] == ENCODINGS[-1][0]
    assert encode_within([], 1) == []


def test_skipped_images_are_left_out(tmp_path):
    split = write_split(tmp_path, 3, skipped={"1.png"})
    images = gallery_images(split, table(row(1)), count=9, score_threshold=0.5)
    assert [one.file_name for one in images] == ["2.png", "3.png"]
