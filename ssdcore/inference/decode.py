"""From the network's answers to detections (section 2.3 of the SSD paper)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ssdcore.coco.results import Detections
from ssdcore.geometry.box_coder import decode
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.candidates import (
    Candidates,
    best_first,
    best_of,
    find_candidates,
    read_keys,
    sort_keys,
)
from ssdcore.inference.nms import suppress
from ssdcore.params.schema import EvaluateParams

LOOKED_AT, MOST_LOOKED_AT = 8, 2000
"""Candidates of an image that are tried first: for each detection wanted, and at most."""


class Thresholds(NamedTuple):
    """Which answers count as detections.

    Attributes:
        score: least class probability.
        nms_iou: overlap above which the weaker of two boxes of a class goes.
        max_detections: kept for the image, the best of all classes.
        max_per_class: kept for each class before that; None is no limit of its own.
        max_candidates: of each class, the best, that take part in suppression; None is all.
    """

    score: float = 0.01
    nms_iou: float = 0.45
    max_detections: int = 100
    max_per_class: int | None = None
    max_candidates: int | None = None

    @classmethod
    def of(cls, wanted: EvaluateParams, score: float | None = None) -> "Thresholds":
        """Returns those of the parameters, with another least score where one is given."""
        return cls(
            wanted.score_threshold if score is None else score,
            wanted.nms_iou,
            wanted.max_detections,
            wanted.max_per_class,
            wanted.max_candidates,
        )


def detect(
    offsets: Boxes,
    probabilities: Boxes,
    default_boxes: Boxes,
    thresholds: Thresholds,
    *,
    softmax: bool = False,
) -> list[Detections]:
    """Thresholds, decodes and suppresses the answers for B images.

    Of equal scores the lower label comes first, then the earlier default box.

    Args:
        offsets: (B, K, 4) from the network.
        probabilities: (B, K, C) of each class, the background in column 0.
        default_boxes: (K, 4) (cy, cx, h, w).
        thresholds: which answers count.
        softmax: whether the probabilities of a box add up to 1; the answer is the same without,
            but slower.
    """
    everything = [
        find_candidates(table, thresholds.score, softmax=softmax) for table in probabilities
    ]
    count = min(LOOKED_AT * thresholds.max_detections, MOST_LOOKED_AT)
    tried = [best_of(candidates, count) for candidates in everything]
    found = _select(offsets, default_boxes, tried, thresholds)
    for i, detections in enumerate(found):
        left_out = len(tried[i].scores) < len(everything[i].scores)
        if left_out and len(detections.scores) < thresholds.max_detections:
            (found[i],) = _select(
                offsets[i : i + 1], default_boxes, everything[i : i + 1], thresholds
            )
    return found


def _select(
    offsets: Boxes, default_boxes: Boxes, candidates: Sequence[Candidates], thresholds: Thresholds
) -> list[Detections]:
    """Decodes and suppresses all candidates (of B images) together, class by class."""
    images = np.repeat(np.arange(len(candidates)), [len(c.scores) for c in candidates])
    rows, labels, scores = map(np.concatenate, zip(*candidates, strict=True))
    classes = int(labels.max(initial=0)) + 1
    keys = np.sort(sort_keys(images * classes + labels, scores, rows))
    groups, scores, rows = read_keys(keys)
    if thresholds.max_candidates is not None:
        rank = np.arange(len(groups)) - np.searchsorted(groups, groups)
        best = rank < thresholds.max_candidates
        groups, scores, rows = groups[best], scores[best], rows[best]
    images, labels = np.divmod(groups, classes)
    flat = images * len(default_boxes) + rows
    boxes = decode(offsets.reshape(-1, 4).take(flat, axis=0), default_boxes.take(rows, axis=0))
    most = thresholds.max_detections
    if thresholds.max_per_class is not None:
        most = min(most, thresholds.max_per_class)
    kept = suppress(boxes, groups, thresholds.nms_iou, most)
    counts = np.bincount(images[kept], minlength=len(candidates))
    order = kept[best_first(counts, scores[kept])]
    return [
        Detections(boxes[own], labels[own].astype(np.int32), scores[own])
        for start, end in pairwise([0, *np.cumsum(counts).tolist()])
        for own in [order[start : min(end, start + thresholds.max_detections)]]
    ]
