"""A COCO annotation file as the metrics need it."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import is_box
from ssdcore.coco.rows import whole_number
from ssdcore.core.errors import InputError

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


def rising_ids(rows: Iterable[Mapping[str, Any]]) -> NDArray[np.int64]:
    """Returns the ids of images or categories, rising, each once."""
    return np.unique(np.array([row["id"] for row in rows], np.int64))


def places(known: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns where each id (N,) is among the known ones, which rise.

    Raises:
        InputError: it is not among them.
    """
    found = np.searchsorted(known, ids)
    strange = ids[known.take(found, mode="clip") != ids]
    if len(strange):
        expected = "one of the annotation file's that count"
        raise InputError("the image or category of a detection", int(strange[0]), expected)
    return found
