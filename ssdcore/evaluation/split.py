"""A split's objects and detections, and which of them are correct at COCO's thresholds."""

from typing import NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.detection_matching import (
    NOTHING,
    Flags,
    Floats,
    Found,
    Ints,
    Rounds,
    Truth,
    compared,
    in_rounds,
    overlapping,
    take,
)
from ssdcore.coco.results import CocoResults

IOUS = np.linspace(0.5, 0.95, 10)


class Split(NamedTuple):
    """Objects and detections, boxes and areas in pixels of the original images."""

    names: tuple[str, ...]  # of the classes in the order of their ids; the label is the index + 1
    truth: Truth  # M objects of all images, in the file's order
    found: Found  # N detections, at most `MOST_DETECTIONS` of a class in an image
    truth_area: Floats  # (M,) as annotated: COCO's is the mask's, not the box's
    found_area: Floats  # (N,) of the boxes
    image_area: Floats  # (images,) height · width, NaN where the file does not give them

    def objects(self, among: Flags | None = None) -> Ints:
        """Returns the number of objects (C,) of each class, without crowds, of those in `among`."""
        counted = ~self.truth.crowd if among is None else ~self.truth.crowd & among
        return np.bincount(self.truth.label[counted] - 1, minlength=len(self.names))


def read_split(split: CocoSplit, results: CocoResults) -> Split:
    """Reads what pycocotools would compare, in the order in which it does.

    Images without objects count.
    """
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


def rounds_of_classes(split: Split) -> Rounds:
    """Returns the pairs of a class, for `decide`."""
    pairs = overlapping(split.truth, split.found, IOUS[0])
    same = split.truth.label[pairs.object] == split.found.label[pairs.detection]
    return in_rounds(pairs.select(same), split.found.group, split.found.score)


def decide(split: Split, rounds: Rounds, low: float, high: float) -> tuple[Flags, Flags, Flags]:
    """Decides as COCO does for a range of √area from `low` to `high`, borders included.

    Objects of other sizes don't count, as crowds don't, but only one detection can take each.
    Detections of other sizes that take no object don't count either.

    Returns:
        Objects (M,) to find; at each of `IOUS`, detections (N, T) that take one, and detections
        (N, T) of these sizes that take nothing.
    """
    of_size, found_of_size = (
        (area >= low**2) & (area <= high**2) for area in (split.truth_area, split.found_area)
    )
    counts = of_size & ~split.truth.crowd
    took = take(rounds, IOUS, split.truth.crowd, ~counts, len(split.found_area))
    return counts, np.append(counts, False)[took], (took == NOTHING) & found_of_size[:, None]
