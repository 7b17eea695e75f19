"""How ground truth and detections are drawn: a box, a caption, the colour of the class."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.report.drawing import Annotations, Colour, Rgb, draw_boxes, side_by_side

DISTINCT = 200
"""Colours before the palette repeats; more would look alike."""


def annotate_objects(objects: Objects, classes: Sequence[CocoClass]) -> Annotations:
    """Annotates ground truth with class names."""
    captions = [
        classes[label - 1].name + (" (crowd)" if crowd else "")
        for label, crowd in zip(objects.labels, objects.crowd, strict=True)
    ]
    return Annotations(objects.boxes_yxyx, captions, [*map(class_colour, objects.labels.tolist())])


def annotate_detections(found: Detections, classes: Sequence[CocoClass]) -> Annotations:
    """Annotates detections with class names and scores."""
    captions = [
        f"{classes[label - 1].name} {score:.2f}"
        for label, score in zip(found.labels, found.scores, strict=True)
    ]
    return Annotations(found.boxes_yxyx, captions, [*map(class_colour, found.labels.tolist())])


def draw_detections(rgb: Rgb, found: Detections, classes: Sequence[CocoClass]) -> Rgb:
    """Returns a copy of the image (H, W, 3) with detections drawn."""
    return draw_boxes(rgb, annotate_detections(found, classes))


def draw_side_by_side(
    rgb: Rgb, objects: Objects, found: Detections, classes: Sequence[CocoClass], width_px: int = 900
) -> Rgb:
    """Returns the image with its ground truth on the left, with detections on the right."""
    truth = annotate_objects(objects, classes)
    return side_by_side(rgb, truth, annotate_detections(found, classes), width_px)


def class_colour(label: int) -> Colour:
    """Returns the colour of a class by its label, 1 … C-1; it does not depend on C."""
    return _palette()[(label - 1) % DISTINCT]


@cache
def _palette() -> tuple[Colour, ...]:
    """Picks colours one by one, each the farthest in CIELAB from those picked before.

    The candidates are saturated and of medium lightness: they stand out from photographs, and
    black or white text is legible on them.
    """
    levels = np.arange(0, 256, 15, np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = cv2.cvtColor((rgb / 255).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]  # L 0…100
    suitable = (np.hypot(lab[:, 1], lab[:, 2]) > 40) & (lab[:, 0] > 45) & (lab[:, 0] < 90)
    rgb, lab = rgb[suitable], lab[suitable]
    orange = (255, 150, 30)
    picked = [int(np.abs(rgb - np.array(orange)).sum(axis=1).argmin())]
    nearest = np.full(len(lab), np.inf)
    while len(picked) < DISTINCT:
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[picked[-1]], axis=1))
        picked.append(int(nearest.argmax()))
    return tuple((int(r), int(g), int(b)) for r, g, b in rgb[picked])
