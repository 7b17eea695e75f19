"""What was found in photos, as files that other tools read: COCO's JSON and a table."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ssdcore.data.coco import CocoClass, CocoImage
from ssdcore.detection.coco_results import to_results
from ssdcore.detection.decode import Detections
from ssdcore.detection.photo_detector import Seen

COLUMNS = ("file_name", "class", "score", "left", "top", "width", "height")


def only(detections: Detections, labels: Sequence[int]) -> Detections:
    """Returns the detections of some classes."""
    kept = np.isin(detections.labels, labels)
    boxes, all_labels, scores = detections
    return Detections(boxes[kept], all_labels[kept], scores[kept])


def to_coco(photos: Iterable[tuple[str, Seen]], classes: Sequence[CocoClass]) -> dict[str, Any]:
    """Returns photos by file name, and what was found in them, as a COCO data set.

    `annotations` has a `score` beside COCO's keys, so that it also is what `COCO.loadRes` takes.
    Photos that can't be used are in `broken`, with the reason.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    broken: list[dict[str, str]] = []
    for name, seen in photos:
        if seen.fault:
            broken.append({"file_name": name, "reason": seen.fault})
            continue
        image = CocoImage(len(images) + 1, name, seen.height, seen.width)
        images.append(image._asdict())
        for result in to_results(seen.detections, image, classes):
            area = round(result["bbox"][2] * result["bbox"][3], 3)
            ids = {"id": len(annotations) + 1, **result}
            annotations.append(ids | {"area": area, "iscrowd": 0})
    categories = [one._asdict() for one in classes]
    return {
        "images": images, "annotations": annotations, "categories": categories, "broken": broken,
    }  # fmt: skip


def to_csv(coco: dict[str, Any]) -> str:
    """Returns a line for each box of `to_coco`'s, in pixels, under `COLUMNS`."""
    files = {image["id"]: image["file_name"] for image in coco["images"]}
    names = {one["id"]: one["name"] for one in coco["categories"]}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for box in coco["annotations"]:
        origin = (files[box["image_id"]], names[box["category_id"]])
        writer.writerow((*origin, box["score"], *box["bbox"]))
    return text.getvalue().encode("utf-8", "backslashreplace").decode()
