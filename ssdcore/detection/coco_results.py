"""Detections in COCO's results format: a list of image_id, category_id, bbox and score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ssdcore.data.coco import CocoClass, CocoImage
from ssdcore.detection.decode import Detections
from ssdcore.geometry.boxes import xywh_px_to_yxyx, yxyx_to_xywh_px

BOX_DECIMALS = 3
SCORE_DECIMALS = 6


def to_results(
    detections: Detections, image: CocoImage, classes: Sequence[CocoClass]
) -> list[dict[str, Any]]:
    """Writes one image's detections with the annotation file's ids, boxes in its pixels.

    NumPy rounds as Python does here: a float32 times a picture's size and a power of ten has
    fewer than the 53 bits of a float64, so that nothing is rounded before.
    """
    boxes_xywh_px = yxyx_to_xywh_px(detections.boxes_yxyx, image.height, image.width)
    image_id, ids = image.id, [category.id for category in classes]
    return [
        {"image_id": image_id, "category_id": ids[label - 1], "bbox": box, "score": score}
        for box, label, score in zip(
            np.round(boxes_xywh_px, BOX_DECIMALS).tolist(),
            detections.labels.tolist(),
            np.round(detections.scores.astype(np.float64), SCORE_DECIMALS).tolist(),
            strict=True,
        )
    ]


def from_results(
    results: Sequence[Mapping[str, Any]], image: CocoImage, classes: Sequence[CocoClass]
) -> Detections:
    """Reads one image's detections back, best first; the inverse of `to_results`."""
    label_of = {c.id: label for label, c in enumerate(classes, start=1)}
    ranked = sorted(results, key=lambda result: -result["score"])
    boxes_xywh_px = np.array([result["bbox"] for result in ranked]).reshape(-1, 4)
    return Detections(
        xywh_px_to_yxyx(boxes_xywh_px, image.height, image.width),
        np.array([label_of[result["category_id"]] for result in ranked], np.int32),
        np.array([result["score"] for result in ranked], np.float32),
    )
