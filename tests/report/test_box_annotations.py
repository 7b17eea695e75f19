import numpy as np

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.report.box_annotations import mark_detections, mark_objects
from ssdcore.report.colours import class_colours

CLASSES = (CocoClass(3, "cat"), CocoClass(7, "dog"), CocoClass(9, "owl"))
BOXES = np.array([[0.1, 0.2, 0.5, 0.8], [0, 0, 1, 1]], np.float32)  # y1 x1 y2 x2
LABELS = np.array([2, 1], np.int32)
IN_PIXELS = [[20, 5, 80, 25], [0, 0, 100, 50]]  # x1 y1 x2 y2 of 100 wide and 50 high


def test_objects_are_named_and_crowds_are_called_so() -> None:
    objects = Objects(BOXES, LABELS, np.array([False, True]))
    boxes, captions, colours = mark_objects(objects, CLASSES, height=50, width=100)
    np.testing.assert_allclose(boxes, IN_PIXELS, rtol=1e-6)
    assert captions == ["dog", "cat (crowd)"]
    assert colours == [class_colours(3)[1], class_colours(3)[0]]


def test_detections_are_named_with_their_scores_in_the_objects_colours() -> None:
    found = Detections(BOXES, LABELS, np.array([0.987, 0.5], np.float32))
    boxes, captions, colours = mark_detections(found, CLASSES, height=50, width=100)
    np.testing.assert_allclose(boxes, IN_PIXELS, rtol=1e-6)
    assert captions == ["dog 0.99", "cat 0.50"]
    assert colours == [class_colours(3)[1], class_colours(3)[0]]


def test_nothing_is_no_marks() -> None:
    nothing = Objects(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, bool))
    boxes, captions, colours = mark_objects(nothing, CLASSES, height=50, width=100)
    assert np.asarray(boxes).shape == (0, 4)
    assert (captions, colours) == ([], [])
