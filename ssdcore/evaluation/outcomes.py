"""The outcome of each detection and each object: the errors of TIDE (Bolya et al., 2020).

A detection is, in this order,

- correct: it takes a free object of its class with an IoU of 0.5 or more, by falling score;
- ignored: half of it or more is in a crowd region of its class;
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

from ssdcore.coco.checked_boxes import Objects
from ssdcore.coco.detection_matching import (
    NOTHING,
    Flags,
    Floats,
    Found,
    Ints,
    Truth,
    matched,
    overlapping,
)
from ssdcore.coco.operating_point import MATCH_IOU
from ssdcore.coco.results import Detections
from ssdcore.geometry.boxes import yxyx_to_xywh_px

KINDS = ("correct", "class", "localisation", "both", "duplicate", "background", "ignored")
CORRECT, CLASS, LOCALISATION, BOTH, DUPLICATE, BACKGROUND, IGNORED = range(len(KINDS))
MISSED = "missed"
"""The outcome of an object without a correct detection, a class error or a localisation error."""
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
    MISSED: "An object without a detection that is correct, of the wrong class, or loose.",
}
FOREGROUND_IOU = MATCH_IOU
BACKGROUND_IOU = 0.1


class Outcomes(NamedTuple):
    """The outcomes of N detections and M objects."""

    kinds: Ints  # (N,) indices into `KINDS`
    objects: Ints  # (N,) the object a detection took or is about, -1 for background and ignored
    missed: Flags  # (M,) objects whose outcome is `MISSED`; False for crowds

    def missed_from(self, shown: Flags, crowd: Flags) -> Flags:
        """Returns the objects (M,) that are missed if only some detections (N,) are shown."""
        about = self.objects[shown & np.isin(self.kinds, [CORRECT, LOCALISATION, CLASS])]
        missed = ~crowd
        missed[about] = False
        return missed

    @property
    def names(self) -> tuple[str, ...]:
        """The kinds by name, N of `KINDS`."""
        return tuple(KINDS[kind] for kind in self.kinds)


def judge_image(objects: Objects, found: Detections) -> Outcomes:
    """Judges the detections and objects of one image; the objects may include crowds."""

    def columns(rows: Objects | Detections) -> tuple[Ints, Ints, Floats]:
        labels = rows.labels.astype(np.int64)
        return np.zeros_like(labels), labels, yxyx_to_xywh_px(rows.boxes_yxyx, 1, 1)

    image, label, boxes = columns(objects)
    truth = Truth(image, label, objects.crowd, boxes)
    image, label, boxes = columns(found)
    return judge(truth, Found(image, label, found.scores.astype(np.float64), boxes))


def judge(truth: Truth, found: Found) -> Outcomes:
    """Judges the detections and objects of all images."""
    pairs = overlapping(truth, found, BACKGROUND_IOU)
    crowd = truth.crowd[pairs.object]
    same = truth.label[pairs.object] == found.label[pairs.detection]
    took, in_crowd = matched(pairs, truth, found, FOREGROUND_IOU)
    mine, iou_mine = highest(*pairs.select(same & ~crowd), len(found.label))
    other, iou_other = highest(*pairs.select(~same & ~crowd), len(found.label))
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
    outcomes = Outcomes(kinds, objects, ~truth.crowd)
    return outcomes._replace(missed=outcomes.missed_from(kinds >= 0, truth.crowd))


def highest(rows: Ints, partners: Ints, values: Floats, number: int) -> tuple[Ints, Floats]:
    """Returns the partner of the highest value for each of N rows, and the value.

    P pairs of row and partner have a value each; of equal ones the first partner is taken. A row
    without a partner has `NOTHING` and 0.
    """
    best, found = np.full(number, NOTHING, np.int64), np.zeros(number)
    order = np.lexsort((-partners, values))  # of values for one index the last stays
    best[rows[order]], found[rows[order]] = partners[order], values[order]
    return best, found
