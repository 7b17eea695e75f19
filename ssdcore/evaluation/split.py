"""The objects and detections of all images as arrays."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoImage, CocoSplit, read_ground_truth
from ssdcore.coco.metrics import positions
from ssdcore.coco.results import CocoResults
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


def read_split(ground_truth_json: Path | CocoSplit, results: CocoResults) -> Split:
    """Reads what pycocotools would compare, in the order in which it does.

    Args:
        ground_truth_json: the COCO annotation file, or its content if it has been read; images
            without objects count.
        results: the detections; may be none.
    """
    split = read_ground_truth(ground_truth_json)
    images = sorted(split.images, key=lambda image: image.id)
    image_ids = np.sort(split.image_ids)
    class_ids = np.array([one.id for one in split.classes], np.int64)
    rows = split.annotations.compared()
    image = positions(image_ids, split.image_ids[rows.image])
    truth = Truth(image, rows.label, rows.crowd, rows.boxes_xywh_px)
    found = _best_of_each_class(
        Found(
            positions(image_ids, results.image_ids),
            positions(class_ids, results.category_ids) + 1,
            results.scores,
            results.boxes_xywh_px,
        )
    )
    return Split(
        tuple(one.name for one in split.classes),
        truth,
        found,
        rows.areas_px,
        found.boxes_xywh[:, 2] * found.boxes_xywh[:, 3],
        np.array([_area(image) for image in images], np.float64),
    )


def _best_of_each_class(found: Found) -> Found:
    _, rank = competition(found)
    return found.select(rank < MOST_DETECTIONS)


def _area(image: CocoImage) -> float:
    return image.height * image.width or np.nan
