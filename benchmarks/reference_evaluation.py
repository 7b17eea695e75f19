"""What follows the network in the MindSpore SSD tutorial, to compare with.

Written from its description: class by class, the scores of all default boxes are compared with
the threshold, the boxes that pass are scaled to the image's pixels, suppressed in a Python loop
and appended to lists; then every detection becomes a dictionary. Suppression takes a side to be
one pixel longer than it is. The network has decoded the boxes before, so that decoding is not
part of it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes


class Answer(NamedTuple):
    """What the tutorial keeps of an image.

    Attributes:
        boxes: (8732, 4) y1 x1 y2 x2, fractions.
        scores: (8732, C), the background in column 0.
        image_id: the annotation file's.
        image_hw: (2,) float32, its height and width in pixels.
    """

    boxes: Boxes
    scores: Boxes
    image_id: int
    image_hw: NDArray[np.float32]


class Settings(NamedTuple):
    """The tutorial's.

    Attributes:
        min_score: which a score has to exceed.
        nms_iou: overlap above which the weaker box goes.
        max_boxes: of a class.
        pixel: added to each side in suppression.
        earlier_first: whether of equal scores the earlier box comes first; else, as in the
            tutorial, where a rising order is turned round, the later one does.
    """

    min_score: float = 0.1
    nms_iou: float = 0.6
    max_boxes: int = 100
    pixel: int = 1
    earlier_first: bool = False


def reference_results(
    answer: Answer, category_ids: dict[int, int], settings: Settings
) -> list[dict[str, Any]]:
    """Returns an image's detections in COCO's results format, class by class."""
    boxes: list[list[float]] = []
    scores: list[float] = []
    categories: list[int] = []
    height, width = answer.image_hw
    for label in range(1, len(category_ids) + 1):
        of_class = answer.scores[:, label]
        sure = of_class > settings.min_score
        of_class = of_class[sure]
        in_pixels = answer.boxes[sure] * [height, width, height, width]
        if sure.any():
            kept = suppress(in_pixels, of_class, settings)
            boxes += in_pixels[kept].tolist()
            scores += of_class[kept].tolist()
            categories += [category_ids[label]] * len(kept)
    results = []
    for (y1, x1, y2, x2), score, category in zip(boxes, scores, categories, strict=True):
        result: dict[str, Any] = {}
        result["image_id"] = answer.image_id
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
