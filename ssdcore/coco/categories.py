"""Truth and detections category by category, as COCO's evaluators take them.

They keep a dictionary for each detection, and far more for what becomes of it. The categories of
COCO's protocol do not depend on each other: one at a time, that is a small part of it, while all
detections are columns. Which images a category is not in makes no difference, either.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ssdcore.coco.results import CocoResults
from ssdcore.coco.truth import places, rising_ids

ONE = 1
"""The id of a category by itself."""


class Category(NamedTuple):
    """A category with the images that it is in or was found in.

    Attributes:
        name: the category's.
        objects: how many there are, crowds left out.
        truth: a data set: images, categories, annotations.
        found: the same with the detections for annotations.
    """

    name: str
    objects: int
    truth: dict[str, Any]
    found: dict[str, Any]


def by_category(truth: dict[str, Any], detections: CocoResults) -> Iterator[Category]:
    """Yields the categories in the order of their ids; as by pycocotools, others do not count.

    Images have their place among all for id: faster-coco-eval compares ids as float64, in which
    many of 64 bits are one. So does pycocotools' loadRes with columns; it also fails on no
    detections, and gives each an outline, which nothing measures. Else this is what it makes.

    Args:
        truth: from `load_truth`.
        detections: of the images in it.

    Raises:
        InputError: a detection is in another image.
    """
    image_ids = rising_ids(truth["images"])
    numbers = places(image_ids, detections.image_ids) + 1
    number_of = {id_: number for number, id_ in enumerate(image_ids.tolist(), start=1)}
    objects_of: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in truth["annotations"]:
        own = {**row, "image_id": number_of[row["image_id"]], "category_id": ONE}
        objects_of[row["category_id"]].append(own)
    found_of = replace(detections, image_ids=numbers).by_category()
    nothing = detections.select(slice(0))
    for category in sorted(truth["categories"], key=lambda category: category["id"]):
        objects = objects_of[category["id"]]
        found = found_of.get(category["id"], nothing)
        here = np.union1d([row["image_id"] for row in objects], found.image_ids).astype(np.int64)
        images = [{"id": number} for number in here.tolist()]
        rest = {"images": images, "categories": [{"id": ONE}]}
        yield Category(
            category["name"],
            sum(not row["iscrowd"] for row in objects),
            {**rest, "annotations": objects},
            {**rest, "annotations": _annotations(found)},
        )


def _annotations(found: CocoResults) -> list[dict[str, Any]]:
    return [
        {
            **row,
            "id": number,
            "category_id": ONE,
            "area": row["bbox"][2] * row["bbox"][3],
            "iscrowd": 0,
        }
        for number, row in enumerate(found.rows(), start=1)
    ]
