"""The outcome of each detection and each object: the errors of TIDE (Bolya et al., 2020).

A detection is, in this order,

- correct: it takes a free object of its class with an IoU of 0.5 or more, by falling score;
- ignored: half of it or more lies in a crowd region of its class;
- localisation: the object of its class that it overlaps most has an IoU from 0.1 to 0.5;
- class: an object of another class has an IoU of 0.5 or more;
- duplicate: an object of its class has an IoU of 0.5 or more, and another detection took it;
- background: no object has an IoU above 0.1;
- both: the rest, a loose box on an object of another class.

The first five depend only on detections of higher scores, so a score threshold does not change
the outcome of those above it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import Detections
from ssdcore.evaluation.coco_matching import NOTHING, in_rounds, take
from ssdcore.evaluation.pairs import (
    Flags,
    Floats,
    Found,
    Ints,
    Pairs,
    Truth,
    competition,
    overlapping,
)
from ssdcore.geometry.boxes import yxyx_to_xywh_px

KINDS = ("correct", "class", "localisation", "both", "duplicate", "background", "ignored")
CORRECT, CLASS, LOCALISATION, BOTH, DUPLICATE, BACKGROUND, IGNORED = range(len(KINDS))
MISSED = "missed"
"""The outcome of an object that no detection is about."""
NAMES = {
    "correct": "correct",
    "class": "wrong class",
    "localisation": "loose box",
    "both": "loose, wrong class",
    "duplicate": "duplicate",
    "background": "invented",
    "ignored": "in a crowd",
    MISSED: "missed",
}
"""The outcomes, for people."""
MEANINGS = {
    "correct": "The right class, with an IoU of 0.5 or more.",
    "class": "Well localised (IoU 0.5 or more), but the wrong class.",
    "localisation": "The right class, but poorly localised (IoU 0.1 to 0.5).",
    "both": "Poorly localised (IoU 0.1 to 0.5), and the wrong class.",
    "duplicate": "A detection with a higher score already matched the object.",
    "background": "Nothing is there (IoU below 0.1 with every object).",
    "ignored": "In a region marked as a crowd; neither correct nor wrong.",
    MISSED: "An object that no detection matches or overlaps.",
}
FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.1


class Outcomes(NamedTuple):
    """The outcomes of the detections and objects of one image.

    Attributes:
        kinds: (N,) one of `KINDS` for each detection, in their order.
        objects: (N,) the object a detection took or is about, -1 for background and ignored.
        ious: (N,) IoU with that object, 0 without one.
        missed: (M,) objects that no detection is correct on, nor a class or localisation error;
            False for crowds.
    """

    kinds: tuple[str, ...]
    objects: NDArray[np.int32]
    ious: NDArray[np.float32]
    missed: Flags


class Verdict(NamedTuple):
    """`Outcomes` of many images, kinds as indices into `KINDS`."""

    kinds: NDArray[np.int64]
    objects: NDArray[np.int64]
    ious: Floats
    missed: Flags


def judge(truth: Objects, found: Detections) -> Outcomes:
    """Judges the detections and objects of one image; the objects may include crowds."""
    verdict = judge_all(
        Truth(
            np.zeros(len(truth.labels), np.int64),
            truth.labels.astype(np.int64),
            truth.crowd,
            yxyx_to_xywh_px(truth.boxes_yxyx, 1, 1),
        ),
        Found(
            np.zeros(len(found.labels), np.int64),
            found.labels.astype(np.int64),
            found.scores.astype(np.float64),
            yxyx_to_xywh_px(found.boxes_yxyx, 1, 1),
        ),
    )
    return Outcomes(
        tuple(KINDS[kind] for kind in verdict.kinds),
        verdict.objects.astype(np.int32),
        verdict.ious.astype(np.float32),
        verdict.missed,
    )


def judge_all(truth: Truth, found: Found) -> Verdict:
    """Judges the detections and objects of all images."""
    pairs = overlapping(truth, found, BACKGROUND_IOU)
    crowd = truth.crowd[pairs.object]
    same = truth.label[pairs.object] == found.label[pairs.detection]
    near = pairs.overlap >= FOREGROUND_IOU

    rounds = in_rounds(pairs.select(same & near), *competition(found))
    taken = take(rounds, np.array([FOREGROUND_IOU]), truth.crowd, truth.crowd, len(found.label))
    took = taken[:, 0].astype(np.int64)
    in_crowd = (took != NOTHING) & np.append(truth.crowd, False)[took]
    mine, iou_mine = _best(pairs.select(same & ~crowd), len(found.label))
    other, iou_other = _best(pairs.select(~same & ~crowd), len(found.label))
    kinds = np.select(
        [
            in_crowd,
            took != NOTHING,
            (iou_mine >= BACKGROUND_IOU) & (iou_mine < FOREGROUND_IOU),
            iou_other >= FOREGROUND_IOU,
            iou_mine >= FOREGROUND_IOU,
            iou_other <= BACKGROUND_IOU,
        ],
        [IGNORED, CORRECT, LOCALISATION, CLASS, DUPLICATE, BACKGROUND],
        BOTH,
    )
    objects = np.select(
        [
            kinds == CORRECT,
            np.isin(kinds, [LOCALISATION, DUPLICATE]),
            np.isin(kinds, [CLASS, BOTH]),
        ],
        [took, mine, other],
        NOTHING,
    )
    ious = np.zeros(len(kinds))
    about = pairs.select(pairs.object == objects[pairs.detection])
    ious[about.detection] = about.overlap
    missed = ~truth.crowd
    missed[objects[np.isin(kinds, [CORRECT, LOCALISATION, CLASS])]] = False
    return Verdict(kinds, objects, ious, missed)


def _best(pairs: Pairs, detections: int) -> tuple[Ints, Floats]:
    """Returns each detection's object (N,) of greatest IoU, `NOTHING` without one, and the IoU."""
    best, ious = np.full(detections, NOTHING, np.int64), np.zeros(detections)
    order = np.lexsort((-pairs.object, pairs.overlap))  # of values for one index the last stays
    best[pairs.detection[order]] = pairs.object[order]
    ious[pairs.detection[order]] = pairs.overlap[order]
    return best, ious
