import numpy as np

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.evaluation.outcomes import BACKGROUND, CLASS, Outcomes
from ssdcore.report.overlay import Box, detection_boxes, object_boxes

CLASSES = (CocoClass(7, "cat"), CocoClass(9, "dog"))
OBJECTS = Objects(
    np.array([[0.1, 0.2, 0.5, 0.6], [0.5, 0.5, 1, 1]], np.float32),  # y1 x1 y2 x2
    np.array([2, 1], np.int32),
    np.array([False, True]),
)
FOUND = Detections(
    np.array([[0.1, 0.2, 0.5, 0.7], [-0.1, 0.9, 0.1, 1.2]], np.float32),
    np.array([1, 2], np.int32),
    np.array([0.8766, 0.3], np.float32),
)
OUTCOMES = Outcomes(np.array([CLASS, BACKGROUND]), np.array([0, -1]), np.array([False, False]))


def test_objects_have_boxes_in_percent_and_names() -> None:
    missed = OUTCOMES._replace(missed=np.array([True, False]))
    assert object_boxes(OBJECTS, missed, CLASSES) == [
        Box((20, 10, 40, 40), "missed", 2, "dog", 2, "dog", "object"),
        Box((50, 50, 50, 50), "truth", 1, "cat", 1, "cat", "crowd"),
    ]


def test_detections_are_clipped_and_refer_to_their_objects() -> None:
    assert detection_boxes(FOUND, OUTCOMES, OBJECTS, CLASSES) == [
        Box((20, 10, 50, 40), "class", 1, "cat", 2, "dog", 0, 0.8766),
        Box((90, 0, 10, 10), "background", 2, "dog", 0, "", -1, 0.3),
    ]
