"""The objects and detections of all images as arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssdcore.coco.results import CocoResults
from ssdcore.coco.rows import whole_number
from ssdcore.coco.truth import load_truth, places, rising_ids
from ssdcore.evaluation.pairs import Flags, Floats, Found, Ints, Truth, competition

MOST_DETECTIONS = 100
"""Per class and image; COCO's protocol ignores the rest."""


class Split(NamedTuple):
    """Objects and detections, boxes and areas in pixels of the original images.

    Attributes:
        names: of the classes in the order of their ids; the label is the index + 1.
        truth: M objects of all images, in the file's order.
        found: N detections, at most `MOST_DETECTIONS` of a class in an image.
        truth_area: (M,) as annotated: COCO's is the mask's, not the box's.
        found_area: (N,) of the boxes.
        image_area: (images,) height · width, NaN where the file does not give them.
    """

    names: tuple[str, ...]
    truth: Truth
    found: Found
    truth_area: Floats
    found_area: Floats
    image_area: Floats

    def objects(self, among: Flags | None = None) -> Ints:
        """Returns the number of objects (C,) of each class, without crowds, of those in `among`."""
        counted = ~self.truth.crowd if among is None else ~self.truth.crowd & among
        return np.bincount(self.truth.label[counted] - 1, minlength=len(self.names))


def read_split(ground_truth_json: Path, results: CocoResults) -> Split:
    """Reads what pycocotools would compare, in its order.

    Args:
        ground_truth_json: the COCO annotation file; images without objects count.
        results: the detections, possibly none.
    """
    content = load_truth(ground_truth_json)
    images = sorted(content["images"], key=lambda image: image["id"])
    classes = sorted(content["categories"], key=lambda category: category["id"])
    image_ids, class_ids = rising_ids(images), rising_ids(classes)
    rows = content["annotations"]
    truth = Truth(
        places(image_ids, np.array([row["image_id"] for row in rows], np.int64)),
        places(class_ids, np.array([row["category_id"] for row in rows], np.int64)) + 1,
        np.array([row["iscrowd"] for row in rows], bool),
        np.array([row["bbox"] for row in rows], np.float64).reshape(-1, 4),
    )
    found = _best_of_each_class(
        Found(
            places(image_ids, results.image_ids),
            places(class_ids, results.category_ids) + 1,
            results.scores,
            results.boxes_xywh_px,
        )
    )
    return Split(
        tuple(category["name"] for category in classes),
        truth,
        found,
        np.array([row["area"] for row in rows], np.float64),
        found.boxes_xywh[:, 2] * found.boxes_xywh[:, 3],
        np.array([_area(image) for image in images], np.float64),
    )


def _best_of_each_class(found: Found) -> Found:
    _, rank = competition(found)
    return found.select(rank < MOST_DETECTIONS)


def _area(image: Mapping[str, Any]) -> float:
    height, width = (whole_number(image.get(side)) or 0 for side in ("height", "width"))
    return height * width if height > 0 and width > 0 else np.nan
