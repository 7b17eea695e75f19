"""Converts the network's outputs to detections (section 2.3 of the SSD paper)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.results import Detections
from ssdcore.geometry.box_coder import decode
from ssdcore.geometry.boxes import Boxes
from ssdcore.inference.nms import suppress
from ssdcore.params.schema import EvaluateParams

FIRST_TRY, FIRST_TRY_MAX = 8, 2000
"""Candidates per image in the first attempt: for each wanted detection, and at most."""


class Thresholds(NamedTuple):
    """Selects the outputs that count as detections."""

    score: float = 0.01  # minimum class probability
    nms_iou: float = 0.45  # IoU above which the weaker of two boxes of a class is dropped
    max_detections: int = 100  # maximum per image, the best of all classes
    max_per_class: int | None = None  # maximum per class and image before that; None is unlimited
    max_candidates: int | None = None  # best boxes per class that enter NMS; None is all

    @classmethod
    def of(cls, params: EvaluateParams, score: float | None = None) -> "Thresholds":
        """Returns the thresholds of the parameters, with another minimum score if given."""
        return cls(
            params.score_threshold if score is None else score,
            params.nms_iou,
            params.max_detections,
            params.max_per_class,
            params.max_candidates,
        )

    def texts(self) -> dict[str, str]:
        """Returns the thresholds by the names of their parameters."""
        names = ("score_threshold", *self._fields[1:])
        values = ("null" if value is None else f"{value:g}" for value in self)
        return dict(zip(names, values, strict=True))

    def __str__(self) -> str:
        return ", ".join(f"{name} {text}" for name, text in self.texts().items() if text != "null")


VALIDATION = Thresholds()
"""Thresholds of the measurements during training. They do not depend on the section `evaluate`: a
change there must not retrain."""


def validation_remark(params: EvaluateParams) -> str:
    """Describes how training measured its figures if `evaluate` measures otherwise; else ""."""
    ours, theirs = VALIDATION.texts(), Thresholds.of(params).texts()
    ours, theirs = ours | {"tile": "null"}, theirs | {"tile": str(params.tile or "null")}
    unlike = ", ".join(
        f"{name} {ours[name]} (evaluate: {theirs[name]})"
        for name in ours
        if ours[name] != theirs[name]
    )
    return unlike and f"AP in training is measured with {unlike}"


class Candidates(NamedTuple):
    """Pairs of a default box and a class that reach the minimum score, N of one image."""

    rows: NDArray[np.intp]  # (N,) index of the default box, ascending
    labels: NDArray[np.intp]  # (N,) class from 1, ascending within a default box
    scores: Boxes  # (N,) float32

    def best(self, count: int) -> "Candidates":
        """Returns the `count` best candidates, and all that tie with the last of them."""
        if len(self.scores) <= count:
            return self
        last = np.partition(self.scores, -count)[-count]
        chosen = np.flatnonzero(self.scores >= last)
        return Candidates(
            self.rows.take(chosen), self.labels.take(chosen), self.scores.take(chosen)
        )


def detect(
    offsets: Boxes, probabilities: Boxes, default_boxes: Boxes, thresholds: Thresholds
) -> list[Detections]:
    """Applies thresholds, decodes and suppresses the outputs for B images.

    The network gives offsets (B, K, 4) from the default boxes (K, 4) cy cx h w, and probabilities
    (B, K, C), the background in column 0. Of equal scores the lower label comes first, then the
    earlier default box.
    """
    candidates = [find_candidates(table, thresholds.score) for table in probabilities]
    count = min(FIRST_TRY * thresholds.max_detections, FIRST_TRY_MAX)
    best = [one.best(count) for one in candidates]
    found = _select(offsets, default_boxes, best, thresholds)
    for i, detections in enumerate(found):
        left_out = len(best[i].scores) < len(candidates[i].scores)
        if left_out and len(detections.scores) < thresholds.max_detections:
            one = slice(i, i + 1)
            (found[i],) = _select(offsets[one], default_boxes, candidates[one], thresholds)
    return found


def find_candidates(probabilities: Boxes, min_score: float) -> Candidates:
    """Finds the scores (K, C) of one image that reach `min_score`; column 0 is the background."""
    reached = probabilities >= min_score
    reached[:, 0] = False
    flat = np.flatnonzero(reached)
    rows, labels = np.divmod(flat, probabilities.shape[1])
    return Candidates(rows, labels, probabilities.ravel().take(flat).astype(np.float32, copy=False))


def _select(
    offsets: Boxes, default_boxes: Boxes, candidates: Sequence[Candidates], thresholds: Thresholds
) -> list[Detections]:
    """Decodes and suppresses the candidates of B images together, class by class."""
    images = np.repeat(np.arange(len(candidates)), [len(one.scores) for one in candidates])
    rows, labels, scores = map(np.concatenate, zip(*candidates, strict=True))
    classes = int(labels.max(initial=0)) + 1
    groups = images * classes + labels
    order = np.lexsort((-scores, groups))  # stable: of equal scores the first row stays first
    groups, scores, rows = groups[order], scores[order], rows[order]
    if thresholds.max_candidates is not None:
        rank = np.arange(len(groups)) - np.searchsorted(groups, groups)
        best = rank < thresholds.max_candidates
        groups, scores, rows = groups[best], scores[best], rows[best]
    images, labels = np.divmod(groups, classes)
    flat = images * len(default_boxes) + rows
    boxes = decode(offsets.reshape(-1, 4).take(flat, axis=0), default_boxes.take(rows, axis=0))
    if not (finite := np.isfinite(boxes).all(axis=1)).all():  # of a network that diverged
        boxes, groups, scores = boxes[finite], groups[finite], scores[finite]
        images, labels = images[finite], labels[finite]
    most = thresholds.max_detections
    if thresholds.max_per_class is not None:
        most = min(most, thresholds.max_per_class)
    kept = suppress(boxes, groups, thresholds.nms_iou, most)
    kept = kept[np.lexsort((-scores[kept], images[kept]))]
    ends = np.cumsum(np.bincount(images[kept], minlength=len(candidates)))
    return [
        Detections(boxes[own], labels[own].astype(np.int32), scores[own])
        for start, end in pairwise([0, *ends.tolist()])
        for own in [kept[start : min(end, start + thresholds.max_detections)]]
    ]
