"""Matches ground truth to default boxes and encodes it (section 2.2 of the SSD paper).

Training ignores crowds here; evaluation ignores them in `ssdcore.coco.detection_matching`.
"""

from heapq import heapify, heappop, heappush
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.box_coder import encode
from ssdcore.geometry.boxes import Boxes, yxyx_to_cyxhw
from ssdcore.geometry.default_boxes import corners
from ssdcore.geometry.iou import areas, intersections, iou_matrix

POSITIVE_IOU = 0.5
BACKGROUND = 0
"""Label of a default box that no ground truth is assigned to."""
IGNORED = -1
"""Label of a default box inside a crowd region: neither positive nor negative."""
FORCED = 2.0
"""Replaces the IoU of a ground truth and its best default box; higher than any real IoU."""
TAKEN = -1.0
"""Replaces the IoUs of a default box that belongs to a ground truth; lower than any real IoU."""
EQUAL_IOU = 1e-5
"""IoUs that differ by at most this are equal: default boxes of one shape inside a larger ground
truth, whose IoUs only differ by the rounding of float32."""


class Targets(NamedTuple):
    """The training targets of one image; K default boxes."""

    offsets: Boxes  # (K, 4) float32, zero where the label is not positive
    labels: NDArray[np.int32]  # (K,) 1 … C-1 for objects, `BACKGROUND` or `IGNORED`
    num_positives: int


def match(
    boxes_yxyx: Boxes, default_boxes: Boxes, *, one_to_one: bool = False
) -> NDArray[np.int64]:
    """Assigns at most one ground truth to each default box.

    A default box is positive for a ground truth if their IoU exceeds 0.5. One default box of a
    ground truth is positive in any case, and this match takes precedence over every IoU:

    - In the reference it is the one with the highest IoU, the first of equals. If two ground
      truths share it, the first one gets it, and the other may stay without any default box.
    - With `one_to_one` every ground truth gets its own, as in the paper's Caffe code: the pair of
      the highest IoU comes first, then the highest among the others. Of default boxes with equal
      IoU, a ground truth takes the one whose centre is nearest. It needs N ≤ K.

    Among several candidates for a default box, the one with the highest IoU wins, the first of
    equals. Ground truth (N, 4) is in fractions of the image, default boxes (K, 4) are cy cx h w.

    Returns:
        (K,) index of the ground truth, -1 if none.
    """
    owner = np.full(len(default_boxes), -1, np.int64)
    if len(boxes_yxyx) == 0:
        return owner
    overlap = iou_matrix(boxes_yxyx, corners(default_boxes))
    if one_to_one:
        best = _own_default_boxes(overlap, boxes_yxyx, default_boxes)
        first = np.arange(len(best))
    else:
        best, first = np.unique(overlap.argmax(axis=1), return_index=True)
    overlap[first, best] = FORCED
    positive = overlap.max(axis=0) > POSITIVE_IOU
    owner[positive] = overlap[:, positive].argmax(axis=0)
    return owner


def _own_default_boxes(
    overlap: Boxes, boxes_yxyx: Boxes, default_boxes: Boxes
) -> NDArray[np.int64]:
    """Returns a default box (N,) for each ground truth, no two of them equal; see `match`.

    A queue holds the ground truths by their highest IoU with a default box that is free. It can
    only fall, so it is computed again only when a ground truth's turn comes. In `overlap`, the IoUs
    (N, K), the columns of the default boxes that are given away become `TAKEN`.
    """
    own = np.empty(len(boxes_yxyx), np.int64)
    centres = yxyx_to_cyxhw(boxes_yxyx)[:, :2]
    queue = [(-highest, n) for n, highest in enumerate(overlap.max(axis=1).tolist())]
    heapify(queue)
    while queue:
        promised, n = heappop(queue)
        highest = float(overlap[n].max())
        if highest < -promised:
            heappush(queue, (-highest, n))
            continue
        equal = np.flatnonzero(overlap[n] >= highest - EQUAL_IOU)
        distance = ((default_boxes[equal, :2] - centres[n]) ** 2).sum(axis=1)
        own[n] = equal[distance.argmin()]
        overlap[:, own[n]] = TAKEN
    return own


def encode_targets(
    boxes_y1x1y2x2: Boxes,
    labels: NDArray[np.int32],
    default_boxes: Boxes,
    crowd: NDArray[np.bool_] | None = None,
    *,
    one_to_one: bool = False,
) -> Targets:
    """Matches one image's ground truth to the default boxes (K, 4) cy cx h w, and encodes it.

    Boxes (N, 4) are fractions of the image, labels (N,) 1 … C-1; N may be 0. `crowd` (N,) marks
    regions of many objects. A crowd region never makes a default box positive. A default box that
    lies in one by more than half of its visible area is `IGNORED` unless another ground truth makes
    it positive. See `match` for `one_to_one`.
    """
    boxes = np.asarray(boxes_y1x1y2x2, np.float32).reshape(-1, 4)
    single = np.ones(len(boxes), bool) if crowd is None else ~np.asarray(crowd, bool)
    owner = match(boxes[single], default_boxes, one_to_one=one_to_one)
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
