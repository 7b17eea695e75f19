"""COCO's protocol, from shards to the written file: each image of the annotation file counts."""

import json

import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.metrics import evaluate
from ssdcore.data.convert import convert_split
from ssdcore.data.mindrecord import find_shards
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector, predict_split
from ssdcore.models.metadata import ModelMetadata
from ssdcore.sources.shapes import write_shapes
from tests.training.tiny import build_tiny

IMAGES = 6
EMPTY, CROWDS, MISSING = range(3)
"""Places of an image without objects, one with crowds alone, and one whose file is not there."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six images, three of them special."""
    folder = tmp_path_factory.mktemp("protocol")
    write_shapes(folder, seed=4, train_images=IMAGES, val_images=1)
    path = folder / "annotations/instances_train.json"
    content = json.loads(path.read_text())
    ids = [image["id"] for image in content["images"]]
    content["annotations"] = [
        {**row, "iscrowd": int(row["image_id"] == ids[CROWDS])}
        for row in content["annotations"]
        if row["image_id"] != ids[EMPTY]
    ]
    path.write_text(json.dumps(content))
    (folder / "train" / content["images"][MISSING]["file_name"]).unlink()
    split = read_coco(path)
    assert len(split.objects[ids[MISSING]].labels) > 0
    assert split.objects[ids[CROWDS]].crowd.all()
    assert len(split.objects[ids[CROWDS]].crowd) > 0
    convert_split(split, folder / "train", folder / "train.mindrecord", shards=1)
    return folder


def annotations(folder):
    return folder / "annotations/instances_train.json"


@pytest.fixture
def predicted(folder, model, uncompiled):
    """Outputs of an untrained network in batches; the last batch has one image."""
    split = read_coco(annotations(folder))
    network = build_tiny(model, 6, "multibox")
    detector = Detector(network, ModelMetadata(model, (), "multibox", 0), batch_size=4)
    shards = find_shards(folder / "train.mindrecord")
    thresholds = Thresholds(score=0.0, max_detections=20)
    return predict_split(detector, shards, split, thresholds, 2, split.classes)


def perfect(folder):
    """Every object that is no crowd, as a detection."""
    return [
        {"image_id": a["image_id"], "category_id": a["category_id"], "bbox": a["bbox"], "score": 1}
        for a in json.loads(annotations(folder).read_text())["annotations"]
        if not a["iscrowd"]
    ]


def test_every_image_that_there_is_gets_detections(folder, predicted):
    ids = [image.id for image in read_coco(annotations(folder)).images]
    ids.pop(MISSING)
    assert list(dict.fromkeys(predicted.image_ids.tolist())) == ids
    assert len(predicted) == 20 * (IMAGES - 1)


def test_objects_of_an_image_that_was_left_out_are_missed(folder):
    """Else leaving difficult images out would raise the figures."""
    found = perfect(folder)
    missing = read_coco(annotations(folder)).images[MISSING].id
    lost = [result for result in found if result["image_id"] == missing]
    all_found = evaluate(annotations(folder), found)
    figures = evaluate(annotations(folder), [r for r in found if r["image_id"] != missing])
    assert all_found["AP"] == all_found["AR100"] == 1
    assert lost
    for row, before in zip(figures["per_class"], all_found["per_class"], strict=True):
        category = next(
            c.id for c in read_coco(annotations(folder)).classes if c.name == row["name"]
        )
        of_class = sum(result["category_id"] == category for result in lost)
        assert row["objects"] == before["objects"]
        if row["objects"]:
            assert row["AR100"] == pytest.approx(1 - of_class / row["objects"])


def test_detections_in_a_crowd_are_ignored_and_in_an_empty_image_are_false(folder):
    images = read_coco(annotations(folder)).images
    content = json.loads(annotations(folder).read_text())["annotations"]
    crowd = next(a for a in content if a["iscrowd"])
    certain = {"category_id": crowd["category_id"], "bbox": crowd["bbox"], "score": 2}
    found = perfect(folder)
    in_crowd = evaluate(annotations(folder), [*found, {**certain, "image_id": crowd["image_id"]}])
    in_empty = evaluate(annotations(folder), [*found, {**certain, "image_id": images[EMPTY].id}])
    assert in_crowd["AP"] == 1
    assert in_empty["AP"] < 1
