"""A COCO annotation file as the metrics need it."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ssdcore.data.coco import is_box
from ssdcore.data.coco_file import whole_number

IDS = {"images": ("id",), "categories": ("id",), "annotations": ("image_id", "category_id")}
"""Whole numbers that labelling tools may have written as text."""


def load_truth(path: Path, image_ids: Collection[int] | None = None) -> dict[str, Any]:
    """Reads an annotation file as pycocotools needs it: boxes as they are, unlike `read_coco`.

    Rows that it can't digest (no box, a box that is none, unknown to the file's images or
    categories) are left out, ids count from 1 (it takes an object of id 0 for none), and what
    labelling tools omit is filled in.

    Args:
        path: the annotation file.
        image_ids: of the images to keep, with their annotations; None keeps all.
    """
    content = json.loads(path.read_bytes())
    for group, keys in IDS.items():
        for row in content[group]:
            row.update((key, whole_number(row.get(key))) for key in keys)
    if image_ids is not None:
        content["images"] = [image for image in content["images"] if image["id"] in image_ids]
    images = {image["id"] for image in content["images"]}
    categories = {category["id"] for category in content["categories"]}
    rows = [
        row
        for row in content["annotations"]
        if is_box(row.get("bbox"))
        and row.get("image_id") in images
        and row.get("category_id") in categories
    ]
    for number, row in enumerate(rows, start=1):
        row["id"] = number
        row["iscrowd"] = int(row.get("iscrowd") or 0)
        if row.get("area") is None:
            row["area"] = row["bbox"][2] * row["bbox"][3]
    return {**content, "annotations": rows}
