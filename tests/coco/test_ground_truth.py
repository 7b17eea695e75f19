import contextlib
import io
import json

import numpy as np
from pycocotools.coco import COCO

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.ground_truth import write_ground_truth
from ssdcore.coco.metrics import evaluate
from tests.coco_files import box, write_coco

BIG = 2**60 + 1
BBOX = [10.25, 5, 30, 20.5]


def converted(tmp_path, images, rows):
    split = read_coco(write_coco(tmp_path / "a.json", images, rows))
    write_ground_truth(tmp_path / "b.json", split)
    return split, tmp_path / "b.json"


def test_the_written_file_gives_the_same_objects(tmp_path):
    images = [{"id": BIG, "file_name": "süß\ud800.jpg", "turn_upright": True},
              {"id": 3, "file_name": None, "width": 0}]  # fmt: skip
    rows = [
        box(str(BIG), "5", ["10.25", 5, 30, 20.5], area="7", iscrowd="false"),
        box(BIG, 1, [70, 50, 20, 20], area=None, iscrowd=True),
        box(BIG, 1, [1e-3, 1 / 3, 1e9, 5], area=1e300),
        box(3, 1, BBOX),
    ]
    split, path = converted(tmp_path, images, rows)
    again = read_coco(path)
    assert (again.classes, again.images) == (split.classes, split.images)
    assert [image.turn_upright for image in again.images] == [True, False]
    for image in split.images:
        for column, expected in zip(again.objects[image.id], split.objects[image.id], strict=True):
            np.testing.assert_array_equal(column, expected)
    for column, expected in zip(
        again.annotations.compared()[:5], split.annotations.compared()[:5], strict=True
    ):
        np.testing.assert_array_equal(column, expected)
    content = json.loads(path.read_text("utf-8"))["annotations"]
    assert content[0] == {"id": 1, "image_id": BIG, "category_id": 5, "bbox": BBOX, "area": 7,
                          "iscrowd": 0}  # fmt: skip


def test_what_convert_drops_is_no_ground_truth(tmp_path):
    """A duplicate, for example, counts once in training and in the evaluation."""
    rows = [
        box(1, 1, BBOX), box(1, 1, BBOX), box(1, 1, [5, 5, 0, 5]), box(1, 1, [90, 5, 5, 5]),
        box(1, 5, BBOX, iscrowd=2), box(1, 5, BBOX), box(9, 1, BBOX), box(1, 9, BBOX),
    ]  # fmt: skip
    split, path = converted(tmp_path, [{"id": 1, "file_name": "a.jpg"}], rows)
    assert split.boxes["kept"] == 2
    found = [{"image_id": 1, "category_id": id_, "bbox": BBOX, "score": 1} for id_ in (1, 5)]
    figures = evaluate(path, found)
    assert [one["objects"] for one in figures["per_class"]] == [1, 1]
    assert figures["AP"] > 0.999
    assert evaluate(tmp_path / "a.json", found)["AP"] < 0.9  # as pycocotools has it


def test_objects_of_an_image_of_unknown_size_stay_to_be_missed(tmp_path):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "gone.jpg", "width": 0}]
    _, path = converted(
        tmp_path, images, [box(1, 1, BBOX), box(2, 1, BBOX), box(2, 1, [1, 1, 0, 2])]
    )
    figures = evaluate(path, [{"image_id": 1, "category_id": 1, "bbox": BBOX, "score": 1}])
    assert (figures["per_class"][0]["objects"], figures["AR100"]) == (2, 0.5)


def test_pycocotools_reads_the_file(tmp_path):
    rows = [box(1, 1, BBOX, area="wide", iscrowd="no"), box(1, 5, [1, 1, 2, 2])]
    _, path = converted(tmp_path, [{"id": 1, "file_name": "a.jpg"}], rows)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
    assert coco.loadCats(coco.getCatIds()) == [{"id": 1, "name": "cat"}, {"id": 5, "name": "dog"}]
    assert [a["area"] for a in coco.loadAnns(coco.getAnnIds(1))] == [30 * 20.5, 4]


def test_a_data_set_without_boxes(tmp_path):
    split, path = converted(tmp_path, [{"id": 1, "file_name": "a.jpg"}], [])
    assert read_coco(path).images == split.images
