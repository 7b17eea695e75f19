"""The boxes that the page draws over an image, and filters without a network."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.evaluation.outcomes import Outcomes
from ssdcore.geometry.boxes import Boxes

Place = tuple[float, float, float, float]  # left, top, width, height in percent of the image


class ObjectBox(NamedTuple):
    """An object of the ground truth; `label` and `name` are its class, 1 … C."""

    place: Place
    label: int
    name: str
    crowd: bool
    missed: bool


class DetectionBox(NamedTuple):
    """A detection and what became of it.

    Attributes:
        place: where it is.
        label: its class, 1 … C.
        name: of that class.
        score: its score in 0…1.
        kind: one of `ssdcore.evaluation.outcomes.KINDS`.
        object: index of the object it is about, -1 without one.
        iou: its overlap with that object, 0 without one.
        about: class of that object, 0 without one.
        about_name: name of that class, "" without one.
    """

    place: Place
    label: int
    name: str
    score: float
    kind: str
    object: int
    iou: float
    about: int
    about_name: str


def object_boxes(
    objects: Objects, outcomes: Outcomes, classes: Sequence[CocoClass]
) -> tuple[ObjectBox, ...]:
    """Returns what to draw of an image's ground truth, in its order."""
    return tuple(
        ObjectBox(place, int(label), classes[label - 1].name, bool(crowd), bool(missed))
        for place, label, crowd, missed in zip(
            _places(objects.boxes_yxyx), objects.labels, objects.crowd, outcomes.missed,
            strict=True,
        )
    )  # fmt: skip


def detection_boxes(
    found: Detections, outcomes: Outcomes, objects: Objects, classes: Sequence[CocoClass]
) -> tuple[DetectionBox, ...]:
    """Returns what to draw of an image's detections, in their order."""
    names = ["", *(one.name for one in classes)]
    about = [int(objects.labels[index]) if index >= 0 else 0 for index in outcomes.objects]
    return tuple(
        DetectionBox(
            place, int(label), names[label], round(float(score), 3), kind,
            int(index), round(float(overlap), 2), other, names[other],
        )
        for place, label, score, kind, index, overlap, other in zip(
            _places(found.boxes_yxyx), found.labels, found.scores, outcomes.kinds,
            outcomes.objects, outcomes.ious, about, strict=True,
        )
    )  # fmt: skip


def _places(boxes_yxyx: Boxes) -> list[Place]:
    """Crosses from fractions (y1 x1 y2 x2) to percent (left, top, width, height)."""
    y1, x1, y2, x2 = np.clip(np.asarray(boxes_yxyx, np.float64).reshape(-1, 4), 0, 1).T
    percent = np.stack([x1, y1, x2 - x1, y2 - y1], axis=1) * 100
    return [(left, top, width, height) for left, top, width, height in percent.round(2).tolist()]
