"""COCO's average precision of detections that are judged correct or wrong."""

import numpy as np

from ssdcore.coco.matching import Flags, Floats, Found, Ints
from ssdcore.coco.metrics import UNDEFINED

RECALLS = np.linspace(0, 1, 101)
"""Where COCO samples the precision."""


def average_precisions(found: Found, correct: Flags, wrong: Flags, objects: Ints) -> Floats:
    """Returns each class's average precision at each of T thresholds.

    Equal to pycocotools' `accumulate` on the same decisions, including its guard against 0 / 0.

    Args:
        found: N detections; equal scores are in the order of their images, then of the rows.
        correct: (N, T).
        wrong: (N, T); a detection that is neither correct nor wrong does not count.
        objects: (C,) number of objects to find.

    Returns:
        (C, T), `UNDEFINED` for a class without objects.
    """
    order = np.lexsort((found.image, -found.score, found.label))
    ends = np.searchsorted(found.label[order], np.arange(1, len(objects) + 2))
    result = np.full((len(objects), correct.shape[1]), UNDEFINED)
    for label in np.flatnonzero(objects):
        rows = order[ends[label] : ends[label + 1]]
        precision = _precision_at_recalls(correct[rows], wrong[rows], int(objects[label]))
        result[label] = precision.mean(axis=0)
    return result


def _precision_at_recalls(correct: Flags, wrong: Flags, objects: int) -> Floats:
    """Returns the greatest precision (101, T) at each recall or a higher one, best score first."""
    hits, misses = np.cumsum(correct, axis=0), np.cumsum(wrong, axis=0)
    precision = hits / (hits + misses + np.spacing(1))
    precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    precision = np.concatenate([precision, np.zeros((1, precision.shape[1]))])
    recall = hits / objects
    first = [np.searchsorted(column, RECALLS) for column in recall.T]
    return np.take_along_axis(precision, np.stack(first, axis=1), axis=0)
