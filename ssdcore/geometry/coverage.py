"""How well the default boxes fit a data set's objects, before any training."""

import numpy as np

from ssdcore.geometry.boxes import Boxes, iou

AT_ONCE = 256
"""Objects compared with all default boxes together; bounds the memory to tens of megabytes."""


def best_overlaps(boxes_yxyx: Boxes, default_boxes_yxyx: Boxes) -> Boxes:
    """Returns the IoU (N,) of each box (N, 4) with the default box (8732, 4) that fits it best.

    Below 0.5 an object trains a single default box, the one forced on it; such objects are
    learnt late, and other scales help.
    """
    parts = [
        iou(boxes_yxyx[start : start + AT_ONCE], default_boxes_yxyx).max(axis=1)
        for start in range(0, len(boxes_yxyx), AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
