"""Detections in COCO's results format: a list of image_id, category_id, bbox and score."""

from collections.abc import Sequence
from typing import Any

from ssdcore.data.coco import CocoClass, CocoImage
from ssdcore.detection.decode import Detections
from ssdcore.geometry.boxes import yxyx_to_xywh_px

BOX_DECIMALS = 3
SCORE_DECIMALS = 6


def to_results(
    detections: Detections, image: CocoImage, classes: Sequence[CocoClass]
) -> list[dict[str, Any]]:
    """Writes one image's detections with the annotation file's ids, boxes in its pixels."""
    boxes_xywh_px = yxyx_to_xywh_px(detections.boxes_yxyx, image.height, image.width)
    return [
        {
            "image_id": image.id,
            "category_id": classes[label - 1].id,
            "bbox": [round(float(value), BOX_DECIMALS) for value in box],
            "score": round(float(score), SCORE_DECIMALS),
        }
        for box, label, score in zip(
            boxes_xywh_px, detections.labels, detections.scores, strict=True
        )
    ]
