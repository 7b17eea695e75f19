"""COCO's average precision of detections that are judged correct or wrong.

For intervals, sizes and errors. For the twelve figures, `ssdcore.coco.metrics` calls pycocotools.
"""

import numpy as np

from ssdcore.coco.detection_matching import Flags, Floats, Found, Ints
from ssdcore.coco.metrics import UNDEFINED

RECALLS = np.linspace(0, 1, 101)
"""Recalls at which COCO samples the precision."""
AT_ONCE = 1 << 21
"""Weights of detections handled at once; limits the memory to tens of megabytes."""


def average_precisions(found: Found, correct: Flags, wrong: Flags, objects: Ints) -> Floats:
    """Returns each class's average precision at each of T thresholds.

    Equal to pycocotools' `accumulate` on the same decisions, including its guard against 0 / 0. Of
    N detections, some are `correct` (N, T) and some `wrong`; the others do not count. Equal scores
    are in the order of their images, then of the rows. There are `objects` (C,) to find.

    Returns:
        (C, T), `UNDEFINED` for a class without objects.
    """
    once = np.ones((found.image.max(initial=-1) + 1, 1))
    return weighted_precisions(found, correct, wrong, objects[:, None], once)[..., 0]


def weighted_precisions(
    found: Found, correct: Flags, wrong: Flags, objects: Floats | Ints, weights: Floats
) -> Floats:
    """Returns the average precisions where each image counts several times or not at all.

    The weights (images, B) are the counts in B different cases; objects (C, B) count as often. The
    others are as for `average_precisions`.

    Returns:
        (C, T, B), `UNDEFINED` for a class without objects.
    """
    counted = correct | wrong
    order = np.lexsort((found.image, -found.score, found.label))
    order = order[counted[order].any(axis=1)]
    ends = np.searchsorted(found.label[order], np.arange(1, len(objects) + 2))
    result = np.full((len(objects), correct.shape[1], weights.shape[1]), UNDEFINED)
    for label in np.flatnonzero(objects.any(axis=1)):
        rows = order[ends[label] : ends[label + 1]]
        step = max(1, AT_ONCE // max(1, len(rows)))
        for start in range(0, weights.shape[1], step):
            cases = slice(start, start + step)
            result[label, :, cases] = _of_one_class(
                correct[rows], counted[rows], objects[label, cases], weights[:, cases],
                found.image[rows],
            )  # fmt: skip
    return np.where(objects[:, None] > 0, result, UNDEFINED)


def _of_one_class(
    correct: Flags, counted: Flags, objects: Floats | Ints, weights: Floats, image: Ints
) -> Floats:
    """Returns the average precisions (T, B) of detections (n,) that are in the order of scores.

    COCO takes at each recall the greatest precision there or at a higher recall. The greatest ones
    are at correct detections, so no others are looked at: each stands for the recalls that it is
    the first to reach.
    """
    ranked = np.cumsum(weights[image], axis=0)
    result = np.zeros((correct.shape[1], weights.shape[1]))
    for threshold, (hit, counts) in enumerate(zip(correct.T, counted.T, strict=True)):
        hits, ignored = np.flatnonzero(hit), np.flatnonzero(~counts)
        found = np.cumsum(weights[image[hits]], axis=0)
        total = ranked[hits]
        if len(ignored):
            left_out = np.cumsum(weights[image[ignored]], axis=0)
            left_out = np.concatenate([np.zeros((1, weights.shape[1])), left_out])
            total -= left_out[np.searchsorted(ignored, hits)]
        precision = found / (total + np.spacing(1))
        precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        reached = np.searchsorted(RECALLS, found / np.maximum(objects, 1), side="right")
        result[threshold] = (precision * np.diff(reached, axis=0, prepend=0)).sum(axis=0)
    return result / len(RECALLS)
