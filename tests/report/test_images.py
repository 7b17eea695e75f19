import json

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import CocoResults, Detections
from ssdcore.core.errors import InputError
from ssdcore.evaluation.outcomes import judge
from ssdcore.report.images import (
    ENCODINGS,
    at_a_step,
    encode_within,
    gallery_images,
    judge_images,
)
from ssdcore.report.overlay import DetectionBox, ObjectBox


@pytest.fixture
def split(tmp_path):
    """Three grey images, each with one object of 40 × 20 pixels at (10, 30)."""
    images = [{"id": n, "file_name": f"{n}.png", "height": 60, "width": 80} for n in (1, 2, 3)]
    objects = [
        {"id": n, "image_id": n, "category_id": 7, "bbox": [10, 30, 40, 20]} for n in (1, 2, 3)
    ]
    content = {
        "images": images,
        "annotations": objects,
        "categories": [{"id": 7, "name": "cat"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    for image in images:
        cv2.imwrite(str(tmp_path / image["file_name"]), np.full((60, 80, 3), 128, np.uint8))
    return read_coco(tmp_path / "a.json")


def found(image, score=0.9, bbox=(10, 30, 40, 20)):
    return {"image_id": image, "category_id": 7, "bbox": list(bbox), "score": score}


def table(*rows):
    return CocoResults.from_rows(rows)


def test_images_are_chosen_by_the_threshold_and_each_is_there_once(split, tmp_path):
    results = table(found(2), found(3), found(3, bbox=(60, 0, 10, 10)), found(1, score=0.3))
    image_files = gallery_images(split, results, tmp_path, (), count=9, score_threshold=0.5)
    assert {image_file.file_name: image_file.galleries for image_file in image_files} == {
        "1.png": {"worst": 0, "missed": 0},
        "2.png": {"best": 0},
        "3.png": {"worst": 1, "best": 1, "invented": 0},
    }


@pytest.mark.parametrize(
    ("threshold", "step"),
    [(0.29, 0.29), (0.2999, 0.29), (0.57, 0.57), (0.0, 0.0), (1.0, 1.0), (0.005, 0.0)],
)
def test_a_slider_can_show_the_threshold(threshold, step):
    assert at_a_step(threshold) == step


def test_boxes_are_in_percent_with_what_became_of_them(split, tmp_path):
    results = table(found(1, score=0.3), found(1, bbox=(60, 0, 20, 15)), found(1, score=0.04))
    (image_file,) = gallery_images(split, results, tmp_path, {"2.png", "3.png"}, 1, 0.5)
    assert (image_file.width, image_file.height) == (80, 60)
    assert image_file.objects == (ObjectBox((12.5, 50, 50, 33.33), 1, "cat", False, missed=True),)
    assert image_file.detections == (
        DetectionBox((75, 0, 25, 25), 1, "cat", 0.9, "background", -1, 0.0, 0, ""),
        DetectionBox((12.5, 50, 50, 33.33), 1, "cat", 0.3, "correct", 0, 1.0, 1, "cat"),
    )  # the faint one can be shown, but did not decide; the faintest is left out


def test_a_low_threshold_takes_the_faintest_in(split, tmp_path):
    results = table(found(1, score=0.04), found(1, score=0.01))
    (image_file,) = gallery_images(split, results, tmp_path, {"2.png", "3.png"}, 1, 0.02)
    assert [one.score for one in image_file.detections] == [0.04]


def test_the_image_is_encoded_without_boxes(split, tmp_path):
    (image_file,) = gallery_images(split, table(found(1)), tmp_path, {"2.png", "3.png"}, 1, 0.5)
    decoded = cv2.imdecode(np.frombuffer(image_file.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (60, 80, 3)  # not enlarged
    assert np.abs(decoded.astype(int) - 128).max() <= 2


def test_images_are_encoded_smaller_until_all_fit_the_budget(rng):
    noise = [rng.integers(0, 255, (700, 500, 3), dtype=np.uint8) for _ in range(3)]
    sizes = []
    for budget in (10_000_000, 300_000, 1):
        jpegs = encode_within(noise, budget)
        decoded = cv2.imdecode(np.frombuffer(jpegs[0], np.uint8), cv2.IMREAD_COLOR)
        sizes.append(max(decoded.shape))
        assert sum(map(len, jpegs)) <= budget or max(decoded.shape) == ENCODINGS[-1][0]
    assert sizes[0] == ENCODINGS[0][0] > sizes[1] > sizes[2] == ENCODINGS[-1][0]
    assert encode_within([], 1) == []


def test_images_that_convert_left_out_are_left_out(split, tmp_path):
    image_files = gallery_images(split, table(), tmp_path, {"1.png"}, count=9, score_threshold=0.5)
    assert [one.file_name for one in image_files] == ["2.png", "3.png"]
    judged = judge_images(split, table(found(1)), {"1.png"}, 0.5)
    assert [one.image.id for one in judged] == [2, 3]


def test_an_image_that_has_gone_since_is_named(split, tmp_path):
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match=r"1\.png: found 'file missing'"):
        gallery_images(split, table(), tmp_path, (), count=9, score_threshold=0.5)


def test_what_a_threshold_leaves_is_judged_alike(rng):
    """The page judges once and hides what is below its threshold; so must the analysis."""
    for _ in range(40):
        objects = Objects(random_boxes(rng, 8), rng.integers(1, 4, 8).astype(np.int32),
                          rng.random(8) < 0.1)  # fmt: skip
        scores = np.sort(rng.random(30).astype(np.float32))[::-1]
        every = Detections(random_boxes(rng, 30), rng.integers(1, 4, 30).astype(np.int32), scores)
        judged = judge(objects, every)
        for count in (0, 1, 7, 20):
            some = judge(objects, Detections(*(column[:count] for column in every)))
            assert some.kinds == judged.kinds[:count]
            np.testing.assert_array_equal(some.objects, judged.objects[:count])
            accounts = [kind in ("correct", "class", "localisation") for kind in some.kinds]
            seen = set(some.objects[accounts])
            missed = [not crowd and n not in seen for n, crowd in enumerate(objects.crowd)]
            assert some.missed.tolist() == missed


def random_boxes(rng, count):
    """Boxes (count, 4) in a small square, so that many overlap."""
    low = rng.uniform(0, 0.5, (count, 2))
    return np.hstack([low, low + rng.uniform(0.1, 0.5, (count, 2))]).astype(np.float32)
