"""Greedy non-maximum suppression."""

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes, iou


def nms(
    boxes: Boxes, scores: Boxes, iou_threshold: float, max_detections: int
) -> NDArray[np.int64]:
    """Keeps the best box, drops those that overlap it, and goes on with the rest.

    Coordinates are continuous (no pixel is added to a side); of equal scores the earlier comes
    first.

    Args:
        boxes: (N, 4) y1 x1 y2 x2.
        scores: (N,).
        iou_threshold: a box goes when its IoU with a kept one is greater.
        max_detections: how many to keep at most.

    Returns:
        Indices of the kept boxes, best first.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order) and len(kept) < max_detections:
        best, order = order[0], order[1:]
        kept.append(int(best))
        overlap = iou(boxes[best : best + 1], boxes[order])[0]
        order = order[overlap <= iou_threshold]
    return np.array(kept, np.int64)
