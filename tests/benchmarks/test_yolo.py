"""What YOLO11n is given and what is read of it, without Ultralytics."""

import pytest

from benchmarks import yolo
from ssdcore.coco.annotations import read_coco
from ssdcore.core.files import write_json


def test_labels_are_centre_and_size_and_detections_get_their_category_back(tmp_path):
    image = {"id": 7, "file_name": "inner/a b.jpg", "height": 100, "width": 200}
    boxes = ([20, 10, 40, 30], 20, 0), ([0, 0, 200, 100], 5, 0), ([1, 2, 3, 4], 5, 1)
    annotations = [
        {"id": n, "image_id": 7, "category_id": category, "bbox": box, "area": 9, "iscrowd": crowd}
        for n, (box, category, crowd) in enumerate(boxes)
    ]
    categories = [{"id": 5, "name": "a"}, {"id": 20, "name": "b"}]
    path = tmp_path / "instances.json"
    write_json(path, {"images": [image], "annotations": annotations, "categories": categories})
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/a b.jpg").write_bytes(b"pixels")
    split = read_coco(path)
    yolo.convert(split, split.images, tmp_path, tmp_path / "yolo", "val")
    assert (tmp_path / "yolo/images/val/7.jpg").read_bytes() == b"pixels"
    lines = (tmp_path / "yolo/labels/val/7.txt").read_text().splitlines()
    assert [[float(word) for word in line.split()] for line in lines] == [
        pytest.approx([1, 0.2, 0.25, 0.2, 0.3]), pytest.approx([0, 0.5, 0.5, 1, 1])
    ]  # fmt: skip
    write_json(tmp_path / "predictions.json", [{"image_id": 7, "category_id": 2}])
    assert yolo.found(tmp_path, split) == [{"image_id": 7, "category_id": 20}]
    assert yolo.found(tmp_path / "yolo", split) == []
