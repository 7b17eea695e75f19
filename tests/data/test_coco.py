import json

import numpy as np
import pytest
from coco_files import box, write_coco

from ssdcore.data.coco import CocoClass, read_coco
from ssdcore.errors import InputError


def test_every_box_is_kept_or_counted(tmp_path):
    path = write_coco(
        tmp_path / "a.json",
        [{"id": 7, "file_name": "a.jpg"}, {"id": 3, "file_name": "b.jpg"}],
        [
            box(7, 5, [8, 6, 16, 12]),
            box(7, 1, [-10, 50, 30, 30]),  # cut on two sides
            box(7, 1, [0, 0, 80, 60], iscrowd=1),
            box(7, 1, [10, 10, 0, 5]),
            box(7, 1, [10, 10, 5, -5]),
            box(7, 1, [90, 10, 5, 5]),
            box(7, 1, [10, 10, float("nan"), 5]),
            box(7, 1, [10, 10, 5]),
            box(7, 1, "all"),
            box(7, 2, [1, 1, 5, 5]),
            box(8, 1, [1, 1, 5, 5]),
        ],
    )
    split = read_coco(path)
    assert split.classes == (CocoClass(1, "cat"), CocoClass(5, "dog"))
    assert [image.id for image in split.images] == [7, 3]
    assert split.boxes == {"listed": 11, "kept": 3, "clipped": 1, "crowd": 1}
    assert split.dropped == {
        "box outside the image": 1, "box without area": 2,
        "malformed box": 3, "unknown category": 1, "unknown image": 1,
    }  # fmt: skip
    assert split.boxes["listed"] == split.boxes["kept"] + sum(split.dropped.values())
    objects = split.objects[7]
    expected = [[0.1, 0.1, 0.3, 0.3], [50 / 60, 0, 1, 0.25], [0, 0, 1, 1]]
    np.testing.assert_allclose(objects.boxes_yxyx, expected, rtol=1e-6)
    assert objects.labels.tolist() == [2, 1, 1]
    assert objects.crowd.tolist() == [False, False, True]
    assert split.objects[3].boxes_yxyx.shape == (0, 4)


def test_big_ids_and_gaps(tmp_path):
    big = 2**53 + 1
    path = write_coco(
        tmp_path / "a.json", [{"id": big, "file_name": "a.jpg"}], [box(big, 90, [1, 1, 5, 5])],
        categories=[(90, "z"), (0, "a")],
    )  # fmt: skip
    split = read_coco(path)
    assert split.objects[big].labels.tolist() == [2]


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("[]", "a COCO object"),
        ('{"images": [', "whole, valid JSON"),
        ('{"images": [], "annotations": [], "categories": [{}]}', "images: found"),
        ('{"images": [{}], "annotations": [], "categories": []}', "categories: found"),
        ('{"images": [{}], "categories": [{}]}', "annotations: found"),
        ('{"images": [3], "annotations": [], "categories": [{}]}', "a list of objects"),
    ],
)
def test_files_that_are_no_coco(tmp_path, content, hint):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError, match=hint) as error:
        read_coco(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("image", "hint"),
    [
        ({"id": 1}, "file_name of"),
        ({"id": "1", "file_name": "a.jpg"}, "id of"),
        ({"id": True, "file_name": "a.jpg"}, "id of"),
        ({"id": 1, "file_name": "a.jpg", "height": 0}, "image 1"),
    ],
)
def test_images_without_what_is_needed(tmp_path, image, hint):
    with pytest.raises(InputError, match=hint):
        read_coco(write_coco(tmp_path / "a.json", [image], []))


def test_repeated_ids_are_refused(tmp_path):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]
    with pytest.raises(InputError, match="each id once"):
        read_coco(write_coco(tmp_path / "a.json", images, []))


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.json"):
        read_coco(tmp_path / "none.json")


def test_iscrowd_and_ids_may_be_missing(tmp_path):
    path = write_coco(tmp_path / "a.json", [{"id": 1, "file_name": "a.jpg"}], [])
    content = json.loads(path.read_text())
    content["annotations"] = [box(1, 1, [1, 1, 5, 5])]
    path.write_text(json.dumps(content))
    assert read_coco(path).boxes["kept"] == 1
