"""The boxes that the page draws over an image and filters in the browser."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.evaluation.outcomes import Outcomes
from ssdcore.geometry.boxes import Boxes, yxyx_to_xywh_px

Place = tuple[float, float, float, float]  # left, top, width, height in percent of the image


class ObjectBox(NamedTuple):
    """An object of the ground truth; `label` and `name` are its class, 1 … C-1."""

    place: Place
    label: int
    name: str
    crowd: bool
    missed: bool


class DetectionBox(NamedTuple):
    """A detection and its outcome.

    Attributes:
        place: its box.
        label: its class, 1 … C-1.
        name: the name of that class.
        score: in 0…1.
        kind: one of `ssdcore.evaluation.outcomes.KINDS`.
        object: index of the object that the outcome refers to, -1 if none.
        about: class of that object, 0 if none.
        about_name: name of that class, "" if none.
    """

    place: Place
    label: int
    name: str
    score: float
    kind: str
    object: int
    about: int
    about_name: str


def object_boxes(
    objects: Objects, outcomes: Outcomes, classes: Sequence[CocoClass]
) -> tuple[ObjectBox, ...]:
    """Returns the boxes of an image's ground truth, in its order."""
    columns = (_places(objects.boxes_yxyx), objects.labels, objects.crowd, outcomes.missed)
    return tuple(
        ObjectBox(place, int(label), classes[label - 1].name, bool(crowd), bool(missed))
        for place, label, crowd, missed in zip(*columns, strict=True)
    )


def detection_boxes(
    found: Detections, outcomes: Outcomes, objects: Objects, classes: Sequence[CocoClass]
) -> tuple[DetectionBox, ...]:
    """Returns the boxes of an image's detections, in their order."""
    names = ["", *(one.name for one in classes)]
    labels, scores = found.labels.tolist(), found.scores.astype(float).round(3).tolist()
    about = [int(objects.labels[index]) if index >= 0 else 0 for index in outcomes.objects]
    columns = (_places(found.boxes_yxyx), labels, scores, outcomes.names, outcomes.objects, about)
    return tuple(
        DetectionBox(place, label, names[label], score, kind, int(index), other, names[other])
        for place, label, score, kind, index, other in zip(*columns, strict=True)
    )


def _places(boxes_yxyx: Boxes) -> list[Place]:
    """Converts fractions (y1 x1 y2 x2), clipped to the image, to percent."""
    percent = yxyx_to_xywh_px(np.clip(boxes_yxyx.reshape(-1, 4), 0, 1), 100, 100)
    return [(left, top, width, height) for left, top, width, height in percent.round(2).tolist()]
