"""The gallery: validation pictures from the worst to the best, truth beside predictions."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssdcore.data.coco import CocoImage, CocoSplit
from ssdcore.data.images import BrokenImageError, checked, decode, read_bytes
from ssdcore.data.sample import Objects
from ssdcore.detection.coco_results import from_results
from ssdcore.detection.decode import Detections
from ssdcore.errors import InputError
from ssdcore.geometry.boxes import Boxes
from ssdcore.report.colours import class_colours
from ssdcore.report.drawing import Annotations, Picture, side_by_side
from ssdcore.report.gallery import Tally, choose, image_tally


class DrawnPicture(NamedTuple):
    """A validation picture, drawn twice side by side.

    Attributes:
        image: what it is in the annotation file.
        tally: how well the detections fit.
        rgb: (H, W, 3) uint8.
    """

    image: CocoImage
    tally: Tally
    rgb: Picture


def draw_gallery(
    split: CocoSplit,
    results: Sequence[Mapping[str, Any]],
    folder: Path,
    skipped: Collection[str],
    count: int,
    score_threshold: float,
) -> Iterator[DrawnPicture]:
    """Draws pictures spread evenly between the worst and the best.

    Args:
        split: the ground truth.
        results: detections in COCO's results format.
        folder: of the pictures.
        skipped: file names that convert left out, so that the detector never saw them.
        count: how many pictures to draw at most.
        score_threshold: least score of a detection that is drawn and counted.

    Raises:
        InputError: a picture is no longer what convert found.
    """
    by_image: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for result in results:
        if result["score"] >= score_threshold:
            by_image[result["image_id"]].append(result)
    images = [image for image in split.images if image.file_name not in skipped]
    found = [from_results(by_image[image.id], image, split.classes) for image in images]
    tallies = [
        image_tally(split.objects[image.id], detections, score_threshold)
        for image, detections in zip(images, found, strict=True)
    ]
    colours = class_colours(len(split.classes))
    names = [c.name for c in split.classes]
    for index in choose([tally.f1 for tally in tallies], count):
        image = images[index]
        try:
            data = checked(read_bytes(folder, image.file_name), image.height, image.width)
        except BrokenImageError as error:
            place = str(folder / image.file_name)
            remedy = "Run dvc repro again, it takes in what has changed"
            raise InputError(place, str(error), "the picture that was converted", remedy) from None
        truth = _drawn_truth(split.objects[image.id], image, names, colours)
        predicted = _drawn_detections(found[index], image, names, colours)
        yield DrawnPicture(image, tallies[index], side_by_side(decode(data), truth, predicted))


def _drawn_truth(
    objects: Objects, image: CocoImage, names: Sequence[str], colours: Any
) -> Annotations:
    captions = [
        names[label - 1] + (" (crowd)" if crowd else "")
        for label, crowd in zip(objects.labels, objects.crowd, strict=True)
    ]
    chosen = [colours[label - 1] for label in objects.labels]
    return Annotations(_in_pixels(objects.boxes_yxyx, image), captions, chosen)


def _drawn_detections(
    found: Detections, image: CocoImage, names: Sequence[str], colours: Any
) -> Annotations:
    captions = [
        f"{names[label - 1]} {score:.2f}"
        for label, score in zip(found.labels, found.scores, strict=True)
    ]
    chosen = [colours[label - 1] for label in found.labels]
    return Annotations(_in_pixels(found.boxes_yxyx, image), captions, chosen)


def _in_pixels(boxes_yxyx: Boxes, image: CocoImage) -> Boxes:
    """Crosses from fractions (y1 x1 y2 x2) to pixels (x1 y1 x2 y2)."""
    y1, x1, y2, x2 = boxes_yxyx.reshape(-1, 4).T
    return np.stack([x1 * image.width, y1 * image.height, x2 * image.width, y2 * image.height], 1)
