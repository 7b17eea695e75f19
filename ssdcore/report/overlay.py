"""The boxes that the page draws over an image and filters in the browser."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.evaluation.outcomes import MISSED, Outcomes
from ssdcore.geometry.boxes import Boxes, yxyx_to_xywh_px

Place = tuple[float, float, float, float]  # left, top, width, height in percent of the image


class Box(NamedTuple):
    """An object of the ground truth, or a detection and its outcome.

    Attributes:
        place: where it is.
        kind: of an object `missed` or `truth`; of a detection one of `outcomes.KINDS`.
        label: its class, 1 … C-1.
        name: the name of that class.
        about: class of the object that a detection's outcome refers to, 0 if none; of an object
            its own.
        about_name: name of that class, "" if none.
        link: of a detection the index of that object, -1 if none; of an object `object` or `crowd`.
        score: of a detection, in 0…1; None of an object.
    """

    place: Place
    kind: str
    label: int
    name: str
    about: int
    about_name: str
    link: int | str
    score: float | None = None


def object_boxes(objects: Objects, outcomes: Outcomes, classes: Sequence[CocoClass]) -> list[Box]:
    """Returns the boxes of an image's ground truth, in its order."""
    columns = (_places(objects.boxes_yxyx), objects.labels, objects.crowd, outcomes.missed)
    boxes = []
    for place, label, crowd, missed in zip(*columns, strict=True):
        kind, link = MISSED if missed else "truth", "crowd" if crowd else "object"
        name = classes[label - 1].name
        boxes.append(Box(place, kind, int(label), name, int(label), name, link))
    return boxes


def detection_boxes(
    found: Detections, outcomes: Outcomes, objects: Objects, classes: Sequence[CocoClass]
) -> list[Box]:
    """Returns the boxes of an image's detections, in their order."""
    names = ["", *(one.name for one in classes)]
    labels, scores = found.labels.tolist(), found.scores.astype(float).round(6).tolist()
    links = outcomes.objects.tolist()
    columns = (_places(found.boxes_yxyx), outcomes.names, labels, links, scores)
    boxes = []
    for place, kind, label, link, score in zip(*columns, strict=True):
        about = int(objects.labels[link]) if link >= 0 else 0
        boxes.append(Box(place, kind, label, names[label], about, names[about], link, score))
    return boxes


def _places(boxes_yxyx: Boxes) -> list[Place]:
    """Converts fractions (y1 x1 y2 x2), clipped to the image, to percent."""
    percent = yxyx_to_xywh_px(np.clip(boxes_yxyx.reshape(-1, 4), 0, 1), 100, 100)
    return [(left, top, width, height) for left, top, width, height in percent.round(2).tolist()]
