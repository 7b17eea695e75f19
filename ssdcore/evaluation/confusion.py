"""The confusion matrix of detection, with the background as a further class."""

import numpy as np

from ssdcore.evaluation.matching import NOTHING, in_rounds, take
from ssdcore.evaluation.outcomes import CORRECT, FOREGROUND_IOU, IGNORED, Verdict
from ssdcore.evaluation.pairs import Flags, Ints, overlapping, ranks
from ssdcore.evaluation.split import Split


def confusion(split: Split, verdict: Verdict, shown: Flags) -> Ints:
    """Counts what is there (rows) against what was said (columns), at IoU 0.5.

    Correct detections and their objects come first. What is left is paired regardless of class,
    each detection with the free object that it overlaps most, by falling score; what is left
    then is paired with the background: invented and missed. So each object that is no crowd
    counts once in its row, and each detection that is not ignored once in its column.

    Args:
        split: objects and detections.
        verdict: on them.
        shown: (N,) detections that score the threshold or more.

    Returns:
        (C + 1, C + 1), the background last.
    """
    correct = shown & (verdict.kinds == CORRECT)
    free = ~split.truth.crowd
    free[verdict.objects[correct]] = False
    left = shown & ~correct & (verdict.kinds != IGNORED)
    pairs = overlapping(split.truth, split.found, FOREGROUND_IOU)
    pairs = pairs.select(left[pairs.detection] & free[pairs.object])
    image = split.found.image
    rounds = in_rounds(pairs, image, ranks(image, split.found.score))
    nothing = np.zeros(len(free), bool)
    took = take(rounds, np.array([FOREGROUND_IOU]), nothing, nothing, len(image))[:, 0]
    confused = took != NOTHING
    free[took[confused]] = False
    invented = left & ~confused

    background = len(split.names)
    said, there = split.found.label - 1, split.truth.label - 1
    actual = np.concatenate(
        [said[correct], there[took[confused]], np.full(invented.sum(), background), there[free]]
    )
    predicted = np.concatenate(
        [said[correct], said[confused], said[invented], np.full(free.sum(), background)]
    )
    side = background + 1
    return np.bincount(actual * side + predicted, minlength=side**2).reshape(side, side)
