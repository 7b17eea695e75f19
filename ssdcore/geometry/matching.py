"""Which default box answers for which ground truth (section 2.2 of the SSD paper)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.box_coder import encode
from ssdcore.geometry.boxes import Boxes, areas, intersections, iou
from ssdcore.geometry.default_boxes import corners

POSITIVE_IOU = 0.5
BACKGROUND = 0
"""Label of a default box that answers for no object."""
IGNORED = -1
"""Label of a default box inside a crowd region: neither positive nor negative."""
FORCED = 2.0
"""Stands in for the IoU of a ground truth's best default box and outranks every real one."""


class Targets(NamedTuple):
    """What the network should answer for one image; K = 8732.

    Attributes:
        offsets: (K, 4) float32, zero where the label is not positive.
        labels: (K,) int32, 1 … C-1 for objects, `BACKGROUND` or `IGNORED`.
        num_positives: how many labels are positive.
    """

    offsets: Boxes
    labels: NDArray[np.int32]
    num_positives: int


def match(boxes_yxyx: Boxes, default_boxes: Boxes) -> NDArray[np.int64]:
    """Assigns a ground truth to each default box that has one.

    A default box is positive for a box when their IoU exceeds 0.5, and each ground truth's best
    default box is positive in any case: that match outranks every IoU, and of two ground truths
    with the same best default box the first keeps it. Among several candidates the highest IoU
    wins, the first of equals.

    Args:
        boxes_yxyx: (N, 4) ground truth, fractions of the image.
        default_boxes: (K, 4) (cy, cx, h, w).

    Returns:
        (K,) index of the ground truth, -1 where there is none.
    """
    if len(boxes_yxyx) == 0:
        return np.full(len(default_boxes), -1, np.int64)
    overlap = iou(boxes_yxyx, corners(default_boxes))
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
        crowd: (N,) marks regions that hold many objects: none of them is ever positive, and the
            default boxes that lie in them by more than half of their visible area and are
            not positive for something else are `IGNORED`.
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
    """Marks the default boxes (K,) of whose visible part most lies in one of the regions (M, 4)."""
    boxes = np.clip(corners(default_boxes), 0, 1)
    share = intersections(boxes, regions_yxyx) / areas(boxes)[:, None]
    return (share > 0.5).any(axis=1)
