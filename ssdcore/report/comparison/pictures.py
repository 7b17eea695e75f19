"""The same validation pictures with each candidate's detections, where they differ most first."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssdcore.data.coco import CocoImage, CocoSplit
from ssdcore.data.pictures import open_pictures
from ssdcore.detection.coco_results import from_results
from ssdcore.detection.decode import Detections
from ssdcore.errors import InputError
from ssdcore.report.comparison.candidate import Detected
from ssdcore.report.drawing import draw_boxes, encode_jpeg, fitted
from ssdcore.report.gallery import Tally, image_tally
from ssdcore.report.marks import mark_detections, mark_objects
from ssdcore.report.originals import read_original

SIDE = 440  # pixels of a panel's longer side


class Panel(NamedTuple):
    """What a candidate found in a picture.

    Attributes:
        place: of the candidate among all.
        jpeg: the picture with its detections.
        tally: how well these fit.
        threshold: least score of those that are drawn and counted.
    """

    place: int
    jpeg: bytes
    tally: Tally
    threshold: float


class ComparedPicture(NamedTuple):
    """One picture by its file's name, encoded with its objects, and as the candidates see it."""

    name: str
    truth: bytes
    panels: Sequence[Panel]


def shared_images(splits: Sequence[CocoSplit]) -> list[tuple[CocoImage, ...]]:
    """Returns the images that all splits have, one entry a split, in the order of the first.

    An image is the same where its name, its size, and its objects with their classes are.
    """
    keyed = [{_key(split, image): image for image in split.images} for split in splits]
    return [
        tuple(images[key] for images in keyed)
        for key in keyed[0]
        if all(key in images for images in keyed)
    ]


def draw_pictures(
    candidates: Mapping[int, tuple[Detected, float]], folder: Path, count: int
) -> Iterator[ComparedPicture]:
    """Draws the pictures that all candidates saw, those whose F1 differs most between them first.

    A picture that can't be read any more is passed over.

    Args:
        candidates: by their places, what they found, and the least score of a detection that is
            drawn and counted.
        folder: of the pictures, or their zip archive.
        count: how many pictures to draw at most.

    Raises:
        InputError: there is no such folder or archive.
    """
    images = shared_images([one.split for one, _ in candidates.values()])
    columns = [
        _column(one, threshold, [same[number] for same in images])
        for number, (one, threshold) in enumerate(candidates.values())
    ]
    f1 = np.array([[tally.f1 for tally in column.tallies] for column in columns])
    ranking = np.argsort(-np.ptp(f1, axis=0), kind="stable")
    first = next(iter(candidates.values()))[0].split
    drawn = 0
    with open_pictures(folder) as pictures:
        for index in ranking:
            image = images[index][0]
            try:
                rgb = fitted(read_original(pictures, image), SIDE)
            except InputError:
                continue
            drawn += 1
            if drawn > count:
                return
            size = rgb.shape[:2]
            truth = draw_boxes(rgb, *mark_objects(first.objects[image.id], first.classes, *size))
            panels = []
            for (place, (one, threshold)), column in zip(candidates.items(), columns, strict=True):
                marks = mark_detections(column.found[index], one.split.classes, *size)
                jpeg = encode_jpeg(draw_boxes(rgb, *marks))
                panels.append(Panel(place, jpeg, column.tallies[index], threshold))
            yield ComparedPicture(image.file_name, encode_jpeg(truth), panels)


class _Column(NamedTuple):
    found: list[Detections]
    tallies: list[Tally]


def _column(one: Detected, threshold: float, images: Sequence[CocoImage]) -> _Column:
    by_image: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for result in one.results:
        if result["score"] >= threshold:
            by_image[result["image_id"]].append(result)
    found = [from_results(by_image[image.id], image, one.split.classes) for image in images]
    return _Column(found, [
        image_tally(one.split.objects[image.id], detections, threshold)
        for image, detections in zip(images, found, strict=True)
    ])  # fmt: skip


def _key(split: CocoSplit, image: CocoImage) -> tuple[object, ...]:
    objects = split.objects[image.id]
    names = tuple(split.classes[label - 1].name for label in objects.labels)
    return (
        image.file_name, image.height, image.width, names,
        objects.boxes_yxyx.tobytes(), objects.crowd.tobytes(),
    )  # fmt: skip
