import json

import numpy as np
from pycocotools.coco import COCO

from ssdcore.data.coco import CocoClass
from ssdcore.detection.decode import Detections
from ssdcore.detection.photo_detector import NOTHING, Seen
from ssdcore.detection.photo_results import only, to_coco, to_csv
from ssdcore.files import write_json

CLASSES = (CocoClass(3, "cat"), CocoClass(7, '=dog, "big"'))
FOUND = Detections(
    np.array([[0.1, 0.2, 0.5, 0.8], [0, 0, 1, 1]], np.float32),  # y1 x1 y2 x2
    np.array([2, 1], np.int32),
    np.array([0.75, 0.5], np.float32),
)
PHOTOS = [
    ("a/ü.jpg", Seen(FOUND, 50, 100)),
    ("b\udce9.jpg", Seen(NOTHING, 0, 0, "file empty")),
    ("c.png", Seen(NOTHING, 8, 9)),
]


def test_coco_has_photos_boxes_classes_and_what_is_broken():
    assert to_coco(PHOTOS, CLASSES) == {
        "images": [
            {"id": 1, "file_name": "a/ü.jpg", "height": 50, "width": 100},
            {"id": 2, "file_name": "c.png", "height": 8, "width": 9},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [20.0, 5.0, 60.0, 20.0],
             "score": 0.75, "area": 1200.0, "iscrowd": 0},
            {"id": 2, "image_id": 1, "category_id": 3, "bbox": [0.0, 0.0, 100.0, 50.0],
             "score": 0.5, "area": 5000.0, "iscrowd": 0},
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": '=dog, "big"'}],
        "broken": [{"file_name": "b\udce9.jpg", "reason": "file empty"}],
    }  # fmt: skip


def test_pycocotools_reads_it_both_ways(tmp_path, capsys):
    write_json(tmp_path / "predictions.json", to_coco(PHOTOS, CLASSES))
    coco = COCO(str(tmp_path / "predictions.json"))
    assert [box["bbox"] for box in coco.loadAnns(coco.getAnnIds(catIds=[7]))] == [[20, 5, 60, 20]]
    results = json.loads((tmp_path / "predictions.json").read_text())["annotations"]
    assert len(coco.loadRes(results).getAnnIds(imgIds=[1])) == 2


def test_csv_has_a_line_for_each_box():
    assert to_csv(to_coco(PHOTOS, CLASSES)).splitlines() == [
        "file_name,class,score,left,top,width,height",
        'a/ü.jpg,"=dog, ""big""",0.75,20.0,5.0,60.0,20.0',
        "a/ü.jpg,cat,0.5,0.0,0.0,100.0,50.0",
    ]
    hostile = to_csv(to_coco([("b\udce9.jpg", Seen(FOUND, 1, 1))], CLASSES))
    assert "b\\udce9.jpg,cat" in hostile


def test_classes_are_picked_with_their_boxes():
    picked = only(FOUND, [1])
    assert (picked.labels.tolist(), picked.scores.tolist()) == ([1], [0.5])
    np.testing.assert_array_equal(picked.boxes_yxyx, FOUND.boxes_yxyx[1:])
    assert len(only(FOUND, []).labels) == 0
    assert len(only(NOTHING, [1, 2]).labels) == 0
