"""Detections of tiles become those of the image: each object once."""

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.results import Detections
from ssdcore.data.preprocess import NetworkInput
from ssdcore.geometry.iou import iou_matrix
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.merging import merge
from ssdcore.inference.photo_detector import PhotoDetector
from tests.data.samples import COLOURS, GREY, painted

CLASSES = tuple(CocoClass(label, str(label)) for label in COLOURS)
ROWS, COLUMNS = 4, 5


class PaintFinder:
    """Finds each connected area of a label's paint in an input, also one that a tile cuts."""

    batch_size = 4

    def __init__(self, resize: str = "stretch") -> None:
        self.network_input = NetworkInput(300, resize)

    def detect(self, images, thresholds):
        return [self._found(rgb.astype(int)) for rgb in images]

    def _found(self, rgb):
        boxes, labels = [np.zeros((0, 4))], []
        for label, colour in COLOURS.items():
            mask = (abs(rgb - colour).max(axis=2) < 128).astype(np.uint8)
            _, _, areas, _ = cv2.connectedComponentsWithStats(mask)
            x, y, w, h = areas[1:, :4].T
            boxes.append(np.stack([y, x, y + h, x + w], axis=1) / 300)
            labels += [label] * len(x)
        scores = np.full(len(labels), 0.9, np.float32)
        return Detections(np.concatenate(boxes).astype("f4"), np.array(labels, np.int32), scores)


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_each_object_of_a_mosaic_is_found_once(resize, rng):
    mosaic = np.full((ROWS * 80, COLUMNS * 120, 3), GREY, np.uint8)
    truth, labels = [], []
    for row, column in np.ndindex(ROWS, COLUMNS):
        rgb, objects = painted(rng, 76, 116)
        top, left = row * 80 + 2, column * 120 + 2
        mosaic[top : top + 76, left : left + 116] = rgb
        truth.append(objects.boxes_yxyx * ([76, 116] * 2) + [top, left] * 2)
        labels += objects.labels.tolist()
    detector = PhotoDetector(PaintFinder(resize), CLASSES)
    (found,) = detector.detect([mosaic], Thresholds(), tile=100)
    boxes, found_labels, _ = found.detections
    expected = np.concatenate(truth) / np.tile(mosaic.shape[:2], 2)
    overlaps = iou_matrix(expected.astype("f4"), boxes)
    overlaps[np.array(labels)[:, None] != found_labels] = 0
    assert ((overlaps > 0.8).sum(axis=1) == 1).all()
    assert len(boxes) == len(labels)  # no part of an object, and none twice


WHOLE = np.array([0.0, 0, 1, 1])
LEFT, RIGHT = np.array([0.0, 0, 1, 0.6]), np.array([0.0, 0.4, 1, 1])


def seen(view, *rows, label=1):
    """Boxes of the image (y1 x1 y2 x2, score) as a part detects them."""
    values = np.array(rows, np.float32).reshape(-1, 5)
    origin, size = np.tile(view[:2], 2), np.tile(view[2:] - view[:2], 2)
    boxes = ((values[:, :4] - origin) / size).astype(np.float32)
    return view, Detections(boxes, np.full(len(values), label, np.int32), values[:, 4])


def merged(*parts):
    found = merge(parts, Thresholds(nms_iou=0.45))
    return [
        tuple(row) for row in np.column_stack([found.boxes_yxyx, found.scores]).round(3).tolist()
    ]


OBJECT = (0.2, 0.45, 0.4, 0.85, 0.6)  # whole in RIGHT alone
CUT = (0.2, 0.45, 0.4, 0.6, 0.9)


def test_a_cut_box_gives_way_to_the_whole_one_whatever_its_score():
    assert merged(seen(WHOLE), seen(LEFT, CUT), seen(RIGHT, OBJECT)) == [pytest.approx(OBJECT)]


def test_a_cut_box_gives_way_to_one_of_another_class():
    other = seen(RIGHT, OBJECT, label=2)
    assert merged(seen(WHOLE), seen(LEFT, CUT), other) == [pytest.approx(OBJECT)]


def test_a_cut_box_stays_if_what_is_around_it_is_hardly_an_object():
    assert len(merged(seen(WHOLE), seen(LEFT, CUT), seen(RIGHT, (*OBJECT[:4], 0.1)))) == 2


def test_the_whole_image_does_not_show_several_objects_as_one():
    inside, around = (0.3, 0.1, 0.5, 0.3, 0.9), (0.1, 0.1, 0.9, 0.9, 0.7)
    halves = seen(LEFT, inside), seen(RIGHT)
    assert merged(seen(WHOLE, around), *halves) == [pytest.approx(inside)]
    weaker = seen(LEFT, (*inside[:4], 0.6)), seen(RIGHT)
    assert len(merged(seen(WHOLE, around), *weaker)) == 2


def test_a_small_box_within_a_large_one_stays_unless_a_tile_cuts_it():
    inside = (0.25, 0.5, 0.35, 0.55, 0.9)
    assert len(merged(seen(WHOLE), seen(LEFT, inside), seen(RIGHT, OBJECT))) == 2


def test_an_object_that_two_tiles_show_is_there_once():
    left, right = (0.2, 0.45, 0.4, 0.55, 0.9), (0.2, 0.45, 0.41, 0.55, 0.8)
    assert merged(seen(WHOLE), seen(LEFT, left), seen(RIGHT, right)) == [pytest.approx(left)]


def test_the_whole_image_shows_what_is_larger_than_the_overlap_alone():
    large, small = (0.1, 0.1, 0.9, 0.9, 0.7), (0.3, 0.1, 0.4, 0.2, 0.8)
    halves = seen(LEFT, (0.1, 0.1, 0.9, 0.6, 0.9)), seen(RIGHT, (0.1, 0.4, 0.9, 0.9, 0.9))
    assert merged(seen(WHOLE, large, small), *halves) == [pytest.approx(large)]


def test_without_tiles_nothing_is_dropped():
    assert len(merged(seen(WHOLE, CUT, OBJECT))) == 2
