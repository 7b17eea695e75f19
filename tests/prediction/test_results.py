import json
from pathlib import Path
from typing import Any

import pytest
from pycocotools.coco import COCO

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import NOTHING
from ssdcore.inference.photo_detector import PhotoResult
from ssdcore.prediction.results import writing_results
from tests.data.samples import detections

CLASSES = (CocoClass(3, "cat"), CocoClass(7, '=dog, "big"'))
FOUND = detections([[0.1, 0.2, 0.5, 0.8], [0, 0, 1, 1]], [2, 1], [0.75, 0.5])  # y1 x1 y2 x2
PHOTOS = [
    ("a/ü.jpg", PhotoResult(FOUND, 50, 100)),
    ("b\udce9.jpg", PhotoResult.broken("file empty")),
    ("c.png", PhotoResult(NOTHING, 8, 9)),
]


def written(folder: Path, *photos: tuple[str, PhotoResult], table: bool = False) -> dict[str, Any]:
    with writing_results(folder, CLASSES, table=table) as results:
        for photo in photos:
            results.add(*photo)
    content: dict[str, Any] = json.loads((folder / "predictions.json").read_text("utf-8"))
    boxes, images = len(content["annotations"]), len(content["images"])
    assert (results.boxes, results.photos, results.broken) == (boxes, images, content["broken"])
    return content


def test_the_file_has_photos_boxes_classes_and_broken_files(tmp_path):
    assert written(tmp_path / "new", *PHOTOS) == {
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
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["predictions.json"]


def test_without_photos_it_is_still_a_data_set(tmp_path):
    content = written(tmp_path)
    assert (content["images"], content["annotations"], content["broken"]) == ([], [], [])


def test_pycocotools_reads_it_as_data_set_and_as_results(tmp_path, capsys):
    results = written(tmp_path, *PHOTOS)["annotations"]
    coco = COCO(str(tmp_path / "predictions.json"))
    assert [box["bbox"] for box in coco.loadAnns(coco.getAnnIds(catIds=[7]))] == [[20, 5, 60, 20]]
    assert len(coco.loadRes(results).getAnnIds(imgIds=[1])) == 2


def test_the_table_has_a_line_for_each_box(tmp_path):
    written(
        tmp_path, *PHOTOS, ("b\udce9.jpg", PhotoResult(FOUND, 1, 1), Path("b-2.jpg")), table=True
    )
    assert (tmp_path / "predictions.csv").read_bytes().decode().split("\n") == [
        "file_name,class,score,left,top,width,height,drawn",
        'a/ü.jpg,"=dog, ""big""",0.75,20.0,5.0,60.0,20.0,',
        "a/ü.jpg,cat,0.5,0.0,0.0,100.0,50.0,",
        'b\\udce9.jpg,"=dog, ""big""",0.75,0.2,0.1,0.6,0.4,b-2.jpg',
        "b\\udce9.jpg,cat,0.5,0.0,0.0,1.0,1.0,b-2.jpg",
        "",
    ]


def test_an_error_keeps_the_old_files(tmp_path):
    for name in ("predictions.json", "predictions.csv"):
        (tmp_path / name).write_text("old")
    with (
        pytest.raises(OSError, match="gone"),
        writing_results(tmp_path, CLASSES, table=True) as results,
    ):
        results.add(*PHOTOS[0])
        raise OSError("gone")
    assert {path.read_text() for path in tmp_path.iterdir()} == {"old"}
    assert len(list(tmp_path.iterdir())) == 2


def test_memory_does_not_grow_with_the_number_of_photos(tmp_path):
    import tracemalloc

    def peak(count: int) -> int:
        tracemalloc.start()
        with writing_results(tmp_path, CLASSES, table=True) as results:
            for number in range(count):
                results.add(f"a.mp4#{number:06}", PhotoResult(FOUND, 50, 100))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(1000) < 2 * peak(100)
