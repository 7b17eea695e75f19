from itertools import combinations

import cv2
import numpy as np

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.report.box_annotations import annotate_detections, annotate_objects, class_colour

CLASSES = (CocoClass(3, "cat"), CocoClass(7, "dog"), CocoClass(9, "owl"))
BOXES = np.array([[0.1, 0.2, 0.5, 0.8], [0, 0, 1, 1]], np.float32)  # y1 x1 y2 x2
LABELS = np.array([2, 1], np.int32)


def test_captions_name_objects_and_mark_crowds() -> None:
    objects = Objects(BOXES, LABELS, np.array([False, True]))
    boxes, captions, colours = annotate_objects(objects, CLASSES)
    np.testing.assert_array_equal(boxes, BOXES)
    assert captions == ["dog", "cat (crowd)"]
    assert colours == [class_colour(2), class_colour(1)]


def test_captions_name_detections_with_scores_in_the_same_colours() -> None:
    found = Detections(BOXES, LABELS, np.array([0.987, 0.5], np.float32))
    boxes, captions, colours = annotate_detections(found, CLASSES)
    np.testing.assert_array_equal(boxes, BOXES)
    assert captions == ["dog 0.99", "cat 0.50"]
    assert colours == [class_colour(2), class_colour(1)]


def smallest_difference(count: int) -> float:
    """The distance of the two most similar colours in CIELAB."""
    colours = [class_colour(label) for label in range(1, count + 1)]
    lab = cv2.cvtColor(np.array([colours], np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(lab, 2))


def test_colours_differ_visibly() -> None:
    # A just noticeable difference is about 2.3.
    assert smallest_difference(6) > 50
    assert smallest_difference(20) > 25
    assert smallest_difference(80) > 10
