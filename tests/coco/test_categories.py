"""What the evaluators are given of each category; the figures are tested with them."""

import pytest

from ssdcore.coco.categories import by_category
from ssdcore.coco.results import CocoResults
from ssdcore.core.errors import InputError

FAR = 2**62
"""Ids from here on are one number as float64s."""


@pytest.fixture
def truth():
    box = {"bbox": [0, 0, 9, 9], "area": 50, "iscrowd": 0}
    return {
        "images": [{"id": FAR + n} for n in (3, 0, 2, 1)],
        "categories": [{"id": 9, "name": "b"}, {"id": 4, "name": "a"}, {"id": 11, "name": "c"}],
        "annotations": [
            {"id": 1, "image_id": FAR + 3, "category_id": 9, **box},
            {"id": 2, "image_id": FAR, "category_id": 4, **box},
            {"id": 3, "image_id": FAR + 1, "category_id": 9, **box, "iscrowd": 1},
        ],
    }


def results(*pairs) -> CocoResults:
    return CocoResults.from_rows(
        [
            {"image_id": image, "category_id": category, "bbox": [n, 0, 2.5, 4], "score": 0.5}
            for n, (image, category) in enumerate(pairs)
        ]
    )


def test_each_category_has_its_own_images_objects_and_detections(truth):
    found = results((FAR + 3, 9), (FAR + 2, 4), (FAR, 4), (FAR + 2, 9), (FAR, 4), (FAR, 5))
    a, b, c = by_category(truth, found)
    assert [(one.name, one.objects) for one in (a, b, c)] == [("a", 1), ("b", 1), ("c", 0)]
    for one, images in ((a, [1, 3]), (b, [2, 3, 4]), (c, [])):
        for dataset in (one.truth, one.found):
            assert [image["id"] for image in dataset["images"]] == images
            assert {row["category_id"] for row in dataset["annotations"]} <= {1}
    assert [(row["id"], row["image_id"]) for row in b.truth["annotations"]] == [(1, 4), (3, 2)]
    assert [(row["id"], row["image_id"], row["bbox"][0]) for row in a.found["annotations"]] == [
        (1, 3, 1), (2, 1, 2), (3, 1, 4),
    ]  # fmt: skip
    assert {row["area"] for row in a.found["annotations"]} == {10}
    assert c.truth["annotations"] == c.found["annotations"] == []


def test_a_detection_in_another_image_is_refused(truth):
    with pytest.raises(InputError, match=f"found {FAR + 4}"):
        next(by_category(truth, results((FAR, 9), (FAR + 4, 9))))
