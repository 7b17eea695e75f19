"""What follows the network in the MindSpore SSD tutorial, as the evaluation's reference.

Written from the tutorial's description: class by class, the scores of all default boxes are
compared with the threshold; the boxes above it are scaled to the image's pixels, suppressed in a
Python loop and appended to lists; then every detection becomes a dictionary. Suppression takes each
side as one pixel longer than it is. The network decodes the boxes, so decoding is not part of it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes


class Settings(NamedTuple):
    """The tutorial's settings and conventions.

    Attributes:
        min_score: scores above it count.
        nms_iou: IoU above which the lower-scoring box is removed.
        max_boxes: of a class.
        pixel: added to each side in suppression.
        earlier_first: whether the earlier box comes first of equal scores. The tutorial reverses an
            ascending order, so the later box comes first there.
    """

    min_score: float = 0.1
    nms_iou: float = 0.6
    max_boxes: int = 100
    pixel: int = 1
    earlier_first: bool = False


def reference_results(
    boxes_yxyx: Boxes,
    scores: Boxes,
    image_id: int,
    image_hw: NDArray[np.float32],
    category_ids: dict[int, int],
    settings: Settings,
) -> list[dict[str, Any]]:
    """Returns an image's detections in COCO's results format, class by class.

    Args:
        boxes_yxyx: (8732, 4), fractions.
        scores: (8732, C), background in column 0.
        image_id: the annotation file's.
        image_hw: (2,) float32, pixels.
        category_ids: the annotation file's id of each label.
        settings: thresholds and conventions.
    """
    boxes: list[list[float]] = []
    kept_scores: list[float] = []
    categories: list[int] = []
    height, width = image_hw
    for label in range(1, len(category_ids) + 1):
        of_class = scores[:, label]
        above = of_class > settings.min_score
        of_class = of_class[above]
        boxes_px = boxes_yxyx[above] * [height, width, height, width]
        if above.any():
            kept = suppress(boxes_px, of_class, settings)
            boxes += boxes_px[kept].tolist()
            kept_scores += of_class[kept].tolist()
            categories += [category_ids[label]] * len(kept)
    results = []
    for (y1, x1, y2, x2), score, category in zip(boxes, kept_scores, categories, strict=True):
        result: dict[str, Any] = {}
        result["image_id"] = image_id
        result["category_id"] = category
        result["bbox"] = [x1, y1, x2 - x1, y2 - y1]
        result["score"] = score
        results.append(result)
    return results


def suppress(boxes: Boxes, scores: Boxes, settings: Settings) -> list[int]:
    """Returns the kept rows of boxes (N, 4) y1 x1 y2 x2 in pixels, best first."""
    y1, x1, y2, x2 = (boxes[:, side] for side in range(4))
    pixel = settings.pixel
    areas = (x2 - x1 + pixel) * (y2 - y1 + pixel)
    order = scores.argsort()[::-1]
    if settings.earlier_first:
        order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size > 0:
        best = order[0]
        kept.append(best)
        if len(kept) >= settings.max_boxes:
            break
        left = np.maximum(x1[best], x1[order[1:]])
        top = np.maximum(y1[best], y1[order[1:]])
        right = np.minimum(x2[best], x2[order[1:]])
        bottom = np.minimum(y2[best], y2[order[1:]])
        shared = np.maximum(0.0, right - left + pixel) * np.maximum(0.0, bottom - top + pixel)
        overlap = shared / (areas[best] + areas[order[1:]] - shared)
        order = order[np.where(overlap <= settings.nms_iou)[0] + 1]
    return kept
