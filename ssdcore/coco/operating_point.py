"""Precision, recall and F1 at a score threshold, and the threshold of the highest F1."""

from typing import NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.detection_matching import (
    NOTHING,
    Flags,
    Floats,
    Ints,
    compared,
    matched,
    overlapping,
)
from ssdcore.coco.results import CocoResults

MATCH_IOU = 0.5
"""Minimum IoU of a correct detection."""
UNMEASURED_SCORE = 0.4
"""Minimum score of the detections to show where no best threshold is known."""


class Ranked(NamedTuple):
    """Detections that count, of one class or of all, by falling score."""

    score: Floats  # (n,)
    hits: Ints  # (n + 1,) correct ones among the first 0, 1, … n
    objects: int

    def kept(self, thresholds: Floats) -> Ints:
        """Returns how many detections score each threshold or more."""
        return np.searchsorted(-self.score, -thresholds, side="right")


class OperatingPoint(NamedTuple):
    """The detections that score a threshold or more.

    `found` + `not_found` are the objects, `found` + `wrong` the detections that count.
    Precision is None without a detection, recall and F1 without an object.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    found: int
    wrong: int
    not_found: int


def rank(score: Floats, correct: Flags, objects: int) -> Ranked:
    """Sorts detections (n,) that are either correct or wrong."""
    order = np.argsort(-score, kind="stable")
    return Ranked(score[order], np.append(0, np.cumsum(correct[order])), objects)


def best_threshold(ranked: Ranked) -> float | None:
    """Returns the highest score of the best F1; None if no detection is correct."""
    thresholds = np.unique(ranked.score)[::-1]
    kept = ranked.kept(thresholds)
    f1 = 2 * ranked.hits[kept] / (kept + ranked.objects)
    return float(thresholds[f1.argmax()]) if f1.any() else None


def best_f1_threshold(split: CocoSplit, results: CocoResults) -> float | None:
    """Returns the `best_threshold` of the detections in a split, of all classes together."""
    truth, found = compared(split, results)
    took, in_crowd = matched(overlapping(truth, found, MATCH_IOU), truth, found, MATCH_IOU)
    counted = ~in_crowd
    objects = int((~truth.crowd).sum())
    return best_threshold(rank(found.score[counted], took[counted] != NOTHING, objects))


def operating_point(ranked: Ranked, threshold: float) -> OperatingPoint:
    """Counts and rates the detections that score the threshold or more."""
    kept = int(ranked.kept(np.array([threshold]))[0])
    hits, objects = int(ranked.hits[kept]), ranked.objects
    return OperatingPoint(
        precision=hits / kept if kept else None,
        recall=hits / objects if objects else None,
        f1=2 * hits / (kept + objects) if objects else None,
        found=hits,
        wrong=kept - hits,
        not_found=objects - hits,
    )
