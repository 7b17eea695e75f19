"""Matches ground truth to default boxes and encodes it (section 2.2 of the SSD paper)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.box_coder import encode
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import corners
from ssdcore.geometry.iou import areas, intersections, iou_matrix

POSITIVE_IOU = 0.5
BACKGROUND = 0
"""Label of a default box that no ground truth is assigned to."""
IGNORED = -1
"""Label of a default box inside a crowd region: neither positive nor negative."""
FORCED = 2.0
"""Replaces the IoU of a ground truth and its best default box; higher than any real IoU."""
BOXES_AT_ONCE = 256
"""Boxes that `best_overlaps` compares with all default boxes at once; bounds the memory."""


class Targets(NamedTuple):
    """The training targets of one image; K = 8732.

    Attributes:
        offsets: (K, 4) float32, zero where the label is not positive.
        labels: (K,) int32, 1 … C-1 for objects, `BACKGROUND` or `IGNORED`.
        num_positives: number of positive labels.
    """

    offsets: Boxes
    labels: NDArray[np.int32]
    num_positives: int


def match(boxes_yxyx: Boxes, default_boxes: Boxes) -> NDArray[np.int64]:
    """Assigns at most one ground truth to each default box.

    A default box is positive for a ground truth if their IoU exceeds 0.5. The default box with
    the highest IoU for a ground truth is positive in any case, and this match takes precedence
    over every IoU; if two ground truths share a best default box, the first one gets it. Among
    several candidates, the one with the highest IoU wins, the first of equals.

    Args:
        boxes_yxyx: (N, 4) ground truth, fractions of the image.
        default_boxes: (K, 4) (cy, cx, h, w).

    Returns:
        (K,) index of the ground truth, -1 if none.
    """
    if len(boxes_yxyx) == 0:
        return np.full(len(default_boxes), -1, np.int64)
    overlap = iou_matrix(boxes_yxyx, corners(default_boxes))
    best, first = np.unique(overlap.argmax(axis=1), return_index=True)
    overlap[first, best] = FORCED
    positive = overlap.max(axis=0) > POSITIVE_IOU
    owner = np.full(len(default_boxes), -1, np.int64)
    owner[positive] = overlap[:, positive].argmax(axis=0)
    return owner


def encode_targets(
    boxes_y1x1y2x2: Boxes,
    labels: NDArray[np.int32],
    default_boxes: Boxes,
    crowd: NDArray[np.bool_] | None = None,
) -> Targets:
    """Matches one image's ground truth to the default boxes and encodes it.

    Args:
        boxes_y1x1y2x2: (N, 4) fractions of the image; N may be 0.
        labels: (N,) 1 … C-1.
        default_boxes: (K, 4) (cy, cx, h, w).
        crowd: (N,) marks regions of many objects. A crowd region never makes a default box
            positive. A default box that lies in one by more than half of its visible area is
            `IGNORED` unless another ground truth makes it positive.
    """
    boxes = np.asarray(boxes_y1x1y2x2, np.float32).reshape(-1, 4)
    single = np.ones(len(boxes), bool) if crowd is None else ~np.asarray(crowd, bool)
    owner = match(boxes[single], default_boxes)
    positive = owner >= 0

    target_labels = np.full(len(default_boxes), BACKGROUND, np.int32)
    if not single.all():
        target_labels[_inside(default_boxes, boxes[~single])] = IGNORED
    target_labels[positive] = np.asarray(labels)[single][owner[positive]]
    offsets = np.zeros((len(default_boxes), 4), np.float32)
    offsets[positive] = encode(boxes[single][owner[positive]], default_boxes[positive])
    return Targets(offsets, target_labels, int(positive.sum()))


def _inside(default_boxes: Boxes, regions_yxyx: Boxes) -> NDArray[np.bool_]:
    """Marks the default boxes (K,) with over half of their visible area in a region (M, 4)."""
    boxes = np.clip(corners(default_boxes), 0, 1)
    share = intersections(boxes, regions_yxyx[:, None]) / areas(boxes)
    return (share > 0.5).any(axis=0)


def best_overlaps(boxes_yxyx: Boxes, default_boxes_yxyx: Boxes) -> Boxes:
    """Returns the highest IoU (N,) of each box (N, 4) with any default box (K, 4).

    It shows how well the default boxes fit a data set before any training: an object below 0.5
    has only the one default box that is forced on it, and other scales may help.
    """
    best = np.zeros(len(boxes_yxyx), np.float32)
    for start in range(0, len(boxes_yxyx), BOXES_AT_ONCE):
        some = slice(start, start + BOXES_AT_ONCE)
        best[some] = iou_matrix(boxes_yxyx[some], default_boxes_yxyx).max(axis=1)
    return best
