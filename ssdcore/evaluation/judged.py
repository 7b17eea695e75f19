"""A split whose detections are judged: the input of every table."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.detection_matching import Flags
from ssdcore.coco.operating_point import UNMEASURED_SCORE, Ranked, best_threshold, rank
from ssdcore.coco.results import CocoResults
from ssdcore.evaluation.bootstrap import Bootstrap, bootstrap
from ssdcore.evaluation.outcomes import CORRECT, IGNORED, Outcomes, judge
from ssdcore.evaluation.split import Split, read_split


@dataclass(frozen=True)
class JudgedSplit:
    """Objects, detections and the outcome of each, at IoU 0.5.

    The best 100 detections of a class in an image count, as in COCO's protocol, except those in a
    crowd region of their class, which are neither correct nor wrong. The model may carry the
    minimum score of the detections that people see; None takes the one of the highest F1, or
    `UNMEASURED_SCORE` if no detection is correct.
    """

    split: Split  # M objects, N detections, C classes
    outcomes: Outcomes  # of its objects and detections
    figures: Mapping[str, Any]  # `ssdcore.coco.metrics.evaluate` of the same detections
    chosen: float | None = None

    @cached_property
    def correct(self) -> Flags:
        """(N,) detections that are correct."""
        return self.outcomes.kinds == CORRECT

    @cached_property
    def counted(self) -> Flags:
        """(N,) detections that are either correct or wrong."""
        return self.outcomes.kinds != IGNORED

    @cached_property
    def ranked(self) -> Ranked:
        """The detections that count, of all classes together."""
        return self._rank(self.counted, int(self.split.objects().sum()))

    @cached_property
    def ranked_by_class(self) -> list[Ranked]:
        """The detections that count of each class, C entries."""
        label = self.split.found.label
        return [
            self._rank(self.counted & (label == number), objects)
            for number, objects in enumerate(self.split.objects().tolist(), start=1)
        ]

    def _rank(self, among: Flags, objects: int) -> Ranked:
        return rank(self.split.found.score[among], self.correct[among], objects)

    @cached_property
    def best_threshold(self) -> float | None:
        """The score of the highest F1 over all classes; None without a correct detection."""
        return best_threshold(self.ranked)

    @property
    def threshold(self) -> float:
        """The minimum score of the detections that people see."""
        known = self.best_threshold if self.chosen is None else self.chosen
        return UNMEASURED_SCORE if known is None else known

    @cached_property
    def shown(self) -> Flags:
        """(N,) detections that score the threshold or more."""
        return self.split.found.score >= self.threshold

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """The figures of resamples of the images."""
        return bootstrap(self.split)

    @cached_property
    def all_classes(self) -> str:
        """The name of all classes together, which no class has."""
        return unlike("all", self.split.names)


def judge_split(
    truth: CocoSplit,
    results: CocoResults,
    figures: Mapping[str, Any],
    threshold: float | None = None,
) -> JudgedSplit:
    """Judges the detections (possibly none) in a split; see `JudgedSplit`."""
    split = read_split(truth, results)
    return JudgedSplit(split, judge(split.truth, split.found), figures, threshold)


def unlike(word: str, names: Collection[str]) -> str:
    """Returns the word, in parentheses until it differs from all names."""
    while word in names:
        word = f"({word})"
    return word
