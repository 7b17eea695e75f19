"""From the network's answer for one image to its detections (section 2.3 of the SSD paper)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.detection.nms import nms
from ssdcore.geometry.box_coder import decode
from ssdcore.geometry.boxes import Boxes


class Thresholds(NamedTuple):
    """Which answers count as detections.

    Attributes:
        score: least class probability.
        nms_iou: overlap above which the weaker of two boxes of a class goes.
        max_detections: kept for each class, and then for the image.
    """

    score: float = 0.01
    nms_iou: float = 0.45
    max_detections: int = 100


PUBLISHED = Thresholds()
"""The setting of the published SSD figures; validation while training uses it."""


class Detections(NamedTuple):
    """What was found in one image, best first.

    Attributes:
        boxes_yxyx: (N, 4) float32, fractions of the image.
        labels: (N,) int32, 1 … C-1.
        scores: (N,) float32.
    """

    boxes_yxyx: Boxes
    labels: NDArray[np.int32]
    scores: Boxes


def detect(
    offsets: Boxes, probabilities: Boxes, default_boxes: Boxes, thresholds: Thresholds
) -> Detections:
    """Decodes, thresholds and suppresses the answer for one image.

    Args:
        offsets: (K, 4) from the network.
        probabilities: (K, C) of each class, the background in column 0.
        default_boxes: (K, 4) (cy, cx, h, w).
        thresholds: which answers count.
    """
    candidates = probabilities[:, 1:] >= thresholds.score
    somewhere = np.flatnonzero(candidates.any(axis=1))
    boxes = decode(offsets[somewhere], default_boxes[somewhere])
    found = []
    for label in np.flatnonzero(candidates.any(axis=0)) + 1:
        rows = np.flatnonzero(candidates[somewhere, label - 1])
        scores = probabilities[somewhere[rows], label]
        kept = nms(boxes[rows], scores, thresholds.nms_iou, thresholds.max_detections)
        found.append((boxes[rows[kept]], np.full(len(kept), label, np.int32), scores[kept]))
    if not found:
        return Detections(
            np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, np.float32)
        )
    all_boxes, labels, scores = map(np.concatenate, zip(*found, strict=True))
    best = np.argsort(-scores, kind="stable")[: thresholds.max_detections]
    return Detections(all_boxes[best], labels[best], scores[best])
