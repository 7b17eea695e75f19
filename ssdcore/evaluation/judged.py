"""A split whose detections are judged: the input of every table."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoSplit, read_ground_truth
from ssdcore.coco.matching import Flags, Floats, Found, Ints, Truth, compared
from ssdcore.coco.operating_point import Ranked, best_threshold, rank
from ssdcore.coco.results import CocoResults
from ssdcore.evaluation.outcomes import CORRECT, IGNORED, Outcomes, judge


class Split(NamedTuple):
    """Objects and detections, boxes and areas in pixels of the original images.

    Attributes:
        names: of the classes in the order of their ids; the label is the index + 1.
        truth: M objects of all images, in the file's order.
        found: N detections, at most 100 of a class in an image.
        truth_area: (M,) as annotated: COCO's is the mask's, not the box's.
        found_area: (N,) of the boxes.
        image_area: (images,) height · width, NaN where the file does not give them.
    """

    names: tuple[str, ...]
    truth: Truth
    found: Found
    truth_area: Floats
    found_area: Floats
    image_area: Floats

    def objects(self, among: Flags | None = None) -> Ints:
        """Returns the number of objects (C,) of each class, without crowds, of those in `among`."""
        counted = ~self.truth.crowd if among is None else ~self.truth.crowd & among
        return np.bincount(self.truth.label[counted] - 1, minlength=len(self.names))


@dataclass(frozen=True)
class JudgedSplit:
    """Objects, detections and the outcome of each, at IoU 0.5.

    The best 100 detections of a class in an image count, as in COCO's protocol, except those in a
    crowd region of their class, which are neither correct nor wrong.

    Attributes:
        split: M objects, N detections, C classes.
        outcomes: of its objects and detections.
        figures: `ssdcore.coco.metrics.evaluate` of the same detections.
        chosen: minimum score of the detections that people see, as the model carries it; None
            takes the one of the highest F1.
    """

    split: Split
    outcomes: Outcomes
    figures: Mapping[str, Any]
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
    def best_threshold(self) -> float:
        """The score of the highest F1 over all classes together; 0 without a correct detection."""
        return best_threshold(self.ranked) or 0.0

    @property
    def threshold(self) -> float:
        """The minimum score of the detections that people see."""
        return self.best_threshold if self.chosen is None else self.chosen

    @cached_property
    def shown(self) -> Flags:
        """(N,) detections that score the threshold or more."""
        return self.split.found.score >= self.threshold

    @cached_property
    def all_classes(self) -> str:
        """The word for all classes together, which no class has for a name."""
        return unlike("all", self.split.names)


def judge_split(
    ground_truth_json: Path | CocoSplit,
    results: CocoResults,
    figures: Mapping[str, Any],
    threshold: float | None = None,
) -> JudgedSplit:
    """Judges the detections (possibly none) of an annotation file's images.

    Args:
        ground_truth_json: the COCO annotation file, or its content if it has been read.
        results: the detections.
        figures: `ssdcore.coco.metrics.evaluate` of the two.
        threshold: minimum score of the detections that people see; None is that of the highest F1.
    """
    split = read_split(ground_truth_json, results)
    return JudgedSplit(split, judge(split.truth, split.found), figures, threshold)


def read_split(ground_truth_json: Path | CocoSplit, results: CocoResults) -> Split:
    """Reads what pycocotools would compare, in the order in which it does.

    Images without objects count.
    """
    split = read_ground_truth(ground_truth_json)
    images = sorted(split.images, key=lambda image: image.id)
    truth, found = compared(split, results)
    return Split(
        tuple(one.name for one in split.classes),
        truth,
        found,
        split.annotations.compared().areas_px,
        found.boxes_xywh[:, 2] * found.boxes_xywh[:, 3],
        np.array([image.height * image.width or np.nan for image in images], np.float64),
    )


def unlike(word: str, names: Collection[str]) -> str:
    """Returns the word, in parentheses until it differs from all names."""
    while word in names:
        word = f"({word})"
    return word
