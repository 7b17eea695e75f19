"""What a detector that learns its targets perfectly can reach: from targets to COCO's figures.

Each positive default box answers exactly its target. What is still missed is lost by matching and
by NMS.
"""

from pathlib import Path

import numpy as np
import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.metrics import evaluate
from ssdcore.coco.results import to_results
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.geometry.matching import encode_targets, match
from ssdcore.inference.decode import Thresholds, detect

REAL = Path(__file__).parents[3] / "shared/data/coco_real/annotations/instances_val.json"
PRIORS = default_boxes()
NMS_OFF = 1.0


def answers(objects, num_classes, *, one_to_one, once):
    """The targets of an image as the network's outputs; with `once` one answer for each object."""
    targets = encode_targets(*objects[:2], PRIORS, objects.crowd, one_to_one=one_to_one)
    labels = np.maximum(targets.labels, 0)
    if once:
        owner = match(objects.boxes_yxyx[~objects.crowd], PRIORS, one_to_one=one_to_one)
        _, first = np.unique(owner, return_index=True)
        labels[np.delete(np.arange(len(labels)), first)] = 0
    return targets.offsets, np.eye(num_classes, dtype=np.float32)[labels]


def perfect_ap(split, *, one_to_one, nms_iou):
    found = []
    for image in split.images:
        offsets, probabilities = answers(
            split.objects[image.id],
            len(split.classes) + 1,
            one_to_one=one_to_one,
            once=nms_iou == NMS_OFF,
        )
        thresholds = Thresholds(nms_iou=nms_iou)
        found += detect(offsets[None], probabilities[None], PRIORS, thresholds)
    return evaluate(split, to_results(split.images, found, split.classes))["AP"]


@pytest.fixture(scope="module")
def real():
    if not REAL.is_file():
        pytest.skip("real COCO annotations are not here")
    return read_coco(REAL)


def test_every_object_of_coco_is_found(real):
    assert perfect_ap(real, one_to_one=True, nms_iou=NMS_OFF) == 1
    assert perfect_ap(real, one_to_one=True, nms_iou=0.45) >= 0.997


def test_the_reference_leaves_objects_without_a_default_box(real):
    assert 0.96 < perfect_ap(real, one_to_one=False, nms_iou=NMS_OFF) < 0.99


def test_every_drawn_object_is_found(images):
    assert perfect_ap(images.split, one_to_one=True, nms_iou=NMS_OFF) == 1
    assert perfect_ap(images.split, one_to_one=True, nms_iou=0.45) >= 0.997
