"""Precision, recall and F1 over the score threshold, and the threshold of the highest F1."""

from typing import NamedTuple

import numpy as np

from ssdcore.evaluation.analysis import OperatingPoint, ScoreCurve
from ssdcore.evaluation.pairs import Flags, Floats, Ints

GRID = np.arange(101) / 100


class Ranked(NamedTuple):
    """Detections that count, of one class or of all, by falling score.

    Attributes:
        score: (n,).
        hits: (n + 1,) correct ones among the first 0, 1, … n.
        objects: how many there are to find.
    """

    score: Floats
    hits: Ints
    objects: int

    def kept(self, thresholds: Floats) -> Ints:
        """Returns how many score each threshold or more."""
        return np.searchsorted(-self.score, -thresholds, side="right")


def rank(score: Floats, correct: Flags, objects: int) -> Ranked:
    """Sorts detections (n,) that are either correct or wrong."""
    order = np.argsort(-score, kind="stable")
    return Ranked(score[order], np.append(0, np.cumsum(correct[order])), objects)


def best_threshold(ranked: Ranked) -> float | None:
    """Returns the score of the highest F1, of equals the higher; None without a correct one."""
    thresholds = np.unique(ranked.score)[::-1]
    kept = ranked.kept(thresholds)
    f1 = 2 * ranked.hits[kept] / (kept + ranked.objects)
    return float(thresholds[f1.argmax()]) if f1.any() else None


def operating_point(ranked: Ranked, threshold: float) -> OperatingPoint:
    """Counts and rates what scores the threshold or more.

    Precision is None without a detection, recall and F1 without an object.
    """
    kept = int(ranked.kept(np.array([threshold]))[0])
    hits, objects = int(ranked.hits[kept]), ranked.objects
    return OperatingPoint(
        precision=hits / kept if kept else None,
        recall=hits / objects if objects else None,
        f1=2 * hits / (kept + objects) if objects else None,
        correct=hits,
        invented=kept - hits,
        missed=objects - hits,
    )


def curve(name: str | None, ranked: Ranked) -> ScoreCurve:
    """Samples the figures at thresholds 0, 0.01, … 1."""
    points = [operating_point(ranked, threshold) for threshold in GRID]
    return ScoreCurve(
        name,
        GRID.tolist(),
        [point.precision for point in points],
        [point.recall for point in points],
        [point.f1 for point in points],
    )
