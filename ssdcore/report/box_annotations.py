"""What an image's objects and detections look like drawn: a box, a caption, a class's colour."""

from collections.abc import Sequence

import numpy as np

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.geometry.boxes import Boxes
from ssdcore.report.colours import class_colours
from ssdcore.report.drawing import Annotations


def mark_objects(
    objects: Objects, classes: Sequence[CocoClass], height: int, width: int
) -> Annotations:
    """Marks ground truth with its classes' names, for an image of `height` × `width` pixels."""
    captions = [
        classes[label - 1].name + (" (crowd)" if crowd else "")
        for label, crowd in zip(objects.labels, objects.crowd, strict=True)
    ]
    colours = class_colours(len(classes))
    chosen = [colours[label - 1] for label in objects.labels]
    return Annotations(_in_pixels(objects.boxes_yxyx, height, width), captions, chosen)


def mark_detections(
    found: Detections, classes: Sequence[CocoClass], height: int, width: int
) -> Annotations:
    """Marks detections with their classes' names and their scores."""
    captions = [
        f"{classes[label - 1].name} {score:.2f}"
        for label, score in zip(found.labels, found.scores, strict=True)
    ]
    colours = class_colours(len(classes))
    chosen = [colours[label - 1] for label in found.labels]
    return Annotations(_in_pixels(found.boxes_yxyx, height, width), captions, chosen)


def _in_pixels(boxes_yxyx: Boxes, height: int, width: int) -> Boxes:
    """Crosses from fractions (y1 x1 y2 x2) to pixels (x1 y1 x2 y2)."""
    y1, x1, y2, x2 = boxes_yxyx.reshape(-1, 4).T
    return np.stack([x1 * width, y1 * height, x2 * width, y2 * height], axis=1)
