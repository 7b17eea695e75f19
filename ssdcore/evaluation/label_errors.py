"""Labels worth a look: the boxes and the missing boxes that contradict the detector most.

The kinds and the idea of one score for each box are those of ObjectLab (Tkachenko, Thyagarajan,
Mueller, "ObjectLab: Automated Diagnosis of Mislabeled Images in Object Detection Data", 2023):
overlooked objects, swapped classes and boxes that do not fit. Here each score estimates how
probable it is that the label is wrong, so that one list can rank all kinds. A detector learns wrong
labels of its training images as well: those agree with it and are not found.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.detection_matching import (
    NOTHING,
    Flags,
    Floats,
    Found,
    Ints,
    Pairs,
    Truth,
    compared,
    matched,
    overlapping,
)
from ssdcore.coco.operating_point import MATCH_IOU
from ssdcore.coco.results import CocoResults
from ssdcore.evaluation.named_table import Column, Row, Table
from ssdcore.evaluation.outcomes import BACKGROUND_IOU, highest

NAME = "label_errors"
MISSING, OTHER_CLASS, UNSUPPORTED = "missing box", "other class", "unsupported box"
MIN_SUSPICION = 0.25
"""Minimum suspicion of a label in the table."""
WRONG = 0.05
"""Assumed share of wrong boxes: the prior of Bayes' rule."""
FAINTEST = 0.01
"""Score that stands for no detection; see `evaluate.score_threshold`."""
SIDES = ("left", "top", "width", "height")
"""Columns of the box, in pixels of the image."""
COLUMNS = (
    Column("image", "text"), Column("split", "text"), Column("kind", "text", "worth a look"),
    Column("label", "text", "labelled"), Column("found", "text", "detected"),
    Column("score", title="detection's score"), Column("suspicion"),
    Column("image_id", "count", listed=False),
    *(Column(name, "number", listed=False) for name in SIDES),
)  # fmt: skip


class Reviewed(NamedTuple):
    """A split whose labels are compared with detections."""

    truth: CocoSplit  # its annotation file
    found: CocoResults  # of any score
    skipped: Collection[int] = ()  # images that convert left out, in which nothing was detected


def label_errors(splits: Mapping[str, Reviewed], most: int) -> Table:
    """Returns the table of at most `most` labels, the most suspicious of all splits first.

    A suspicion is in 0…1:

    - missing box: a detection that takes no object (`ssdcore.coco.detection_matching`), the best
      of those that overlap: score · (1 - IoU with the nearest object), where that IoU is less than
      0.5.
    - other class: w · r / (w · r + (1 - w) · s), where s is the highest score of a detection of
      the labelled class on the box (IoU 0.5 or more), at least `FAINTEST`, r that of another class,
      and w is `WRONG`: Bayes' rule for the two classes.
    - unsupported box: (1 - max(r, s)) · w / (w + (1 - w) · (1 - m)), where m is the mean of s over
      the boxes of the class: Bayes' rule for a box without a detection. The misses of a detector
      that misses many objects are weak evidence.

    A box has one entry, of the higher suspicion. Crowd regions have none.
    """
    rows = [row for name, reviewed in splits.items() for row in _rows(name, reviewed)]
    suspicion = [column.name for column in COLUMNS].index("suspicion")
    rows.sort(key=lambda row: -row[suspicion])  # type: ignore[operator]
    return Table(
        NAME, "Labels worth a look", "The labels of train and val that contradict the detector",
        COLUMNS, rows[:most],
        "A missing box is a detection without one, a box of another class has a detection of that "
        "class, and an unsupported box has none. The detector may be wrong, and it has learnt "
        "some wrong labels of train: look at the images. "
        "python -m stages.review --out review.json writes all labels and these proposals for "
        "Label Studio, --out annotations.xml for CVAT.",
    )  # fmt: skip


def _rows(name: str, reviewed: Reviewed) -> Iterator[Row]:
    split = reviewed.truth
    images = sorted(split.images, key=lambda image: image.id)
    truth, found = compared(split, reviewed.found)
    seen = ~np.isin(np.sort(split.image_ids)[truth.image], [*reviewed.skipped]) & ~truth.crowd
    pairs = overlapping(truth, found, BACKGROUND_IOU)
    took, _ = matched(pairs, truth, found, MATCH_IOU)

    def row(kind: str, image: int, label: int, other: int, score: float | None, suspicion: float,
            box: Floats) -> Row:  # fmt: skip
        names = ["", *(one.name for one in split.classes)]
        file = images[image]
        return (
            file.file_name, name, kind, names[label], names[other],
            score, round(suspicion, 6), file.id, *box.tolist(),
        )  # fmt: skip

    missing, suspicions = _missing(pairs, found, took == NOTHING)
    for number, suspicion in zip(missing.tolist(), suspicions.tolist(), strict=True):
        yield row(MISSING, found.image[number], 0, found.label[number], found.score[number],
                  suspicion, found.boxes_xywh[number])  # fmt: skip
    rival, swapped, unsupported = _of_objects(pairs, truth, found, took, seen)
    for number in np.flatnonzero(seen & (np.maximum(swapped, unsupported) >= MIN_SUSPICION)):
        image, label, box = truth.image[number], truth.label[number], truth.boxes_xywh[number]
        if swapped[number] > unsupported[number]:
            other, score = found.label[rival[number]], found.score[rival[number]]
            yield row(OTHER_CLASS, image, label, other, score, swapped[number], box)
        else:
            yield row(UNSUPPORTED, image, label, 0, None, unsupported[number], box)


def _missing(pairs: Pairs, found: Found, free: Flags) -> tuple[Ints, Floats]:
    """Returns the detections without an object, and their suspicions."""
    overlap = np.zeros(len(free))
    np.maximum.at(overlap, pairs.detection, pairs.overlap)
    suspicion = np.where(free & (overlap < MATCH_IOU), found.score * (1 - overlap), 0)
    rows = np.flatnonzero(suspicion >= MIN_SUSPICION)
    rows = rows[np.argsort(-suspicion[rows], kind="stable")]
    some = found.select(rows)
    as_objects = Truth(some.image, some.label, np.zeros(len(rows), bool), some.boxes_xywh)
    same_place = overlapping(as_objects, some, MATCH_IOU)
    weaker = same_place.detection[same_place.object < same_place.detection]
    best = np.delete(rows, weaker)
    return best, suspicion[best]


def _of_objects(
    pairs: Pairs, truth: Truth, found: Found, took: Ints, seen: Flags
) -> tuple[Ints, Floats, Floats]:
    """Returns for each object (M,) its best detection of another class, and its two suspicions.

    A detection that takes an object is no evidence about others.
    """
    pairs = pairs.select(pairs.overlap >= MATCH_IOU)
    own = took[pairs.detection] == pairs.object
    pairs = pairs.select(own | (took[pairs.detection] == NOTHING))
    same = truth.label[pairs.object] == found.label[pairs.detection]
    (_, support), (rival, contradiction) = (
        highest(some.object, some.detection, found.score[some.detection], len(seen))
        for some in (pairs.select(same), pairs.select(~same))
    )
    mean = np.zeros(truth.label.max(initial=0) + 1)
    for label in np.unique(truth.label[seen]):
        mean[label] = support[seen & (truth.label == label)].mean()
    swapped = _bayes(contradiction, np.maximum(support, FAINTEST))
    unsupported = _bayes(np.ones(len(seen)), 1 - mean[truth.label])
    return rival, swapped, unsupported * (1 - np.maximum(support, contradiction))


def _bayes(if_wrong: Floats, if_right: Floats) -> Floats:
    """Returns how probable a wrong box is, from how well the two cases explain the detections."""
    return WRONG * if_wrong / (WRONG * if_wrong + (1 - WRONG) * if_right)
