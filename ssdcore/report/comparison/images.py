"""The same validation images with each candidate's detections, where they differ most first."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ssdcore.coco.annotations import CocoImage, CocoSplit
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, open_image_files
from ssdcore.report.box_annotations import mark_detections, mark_objects
from ssdcore.report.comparison.candidate import Detected
from ssdcore.report.drawing import Rgb, draw_boxes, fitted
from ssdcore.report.gallery import Tally
from ssdcore.report.images import BUDGET_BYTES, JudgedImage, encode_within, judge_images
from ssdcore.report.originals import read_original

SIDE = 440  # pixels of a panel's longer side


class Panel(NamedTuple):
    """What a candidate found in an image.

    Attributes:
        place: of the candidate among all.
        jpeg: the image with its detections.
        tally: how well these fit.
        threshold: least score of those that are drawn and counted.
    """

    place: int
    jpeg: bytes
    tally: Tally
    threshold: float


class ComparedImage(NamedTuple):
    """One image by its file's name, encoded with its objects, and as the candidates see it."""

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


def draw_images(
    candidates: Mapping[int, tuple[Detected, float]], folder: Path, count: int
) -> list[ComparedImage]:
    """Draws the images that all candidates saw, those whose F1 differs most between them first.

    An image that can't be read any more is passed over.

    Args:
        candidates: by their places, what they found, and the least score of a detection that is
            drawn and counted.
        folder: of the images, or their zip archive.
        count: how many images to draw at most.

    Raises:
        InputError: there is no such folder or archive.
    """
    shared = shared_images([one.split for one, _ in candidates.values()])
    judged = []
    for number, (one, threshold) in enumerate(candidates.values()):
        seen = one.split._replace(images=tuple(same[number] for same in shared))
        judged.append(judge_images(seen, one.results, (), threshold))
    rows = list(zip(*judged, strict=True))
    rows.sort(key=lambda row: min(o.tally.f1 for o in row) - max(o.tally.f1 for o in row))
    splits = [one.split for one, _ in candidates.values()]
    with open_image_files(folder) as image_files:
        drawn = list(islice(_drawn(rows, splits, image_files), count))
    jpegs = iter(encode_within([rgb for _, sheets in drawn for rgb in sheets], BUDGET_BYTES))
    return [
        ComparedImage(
            row[0].image.file_name,
            next(jpegs),
            [
                Panel(place, next(jpegs), one.tally, threshold)
                for (place, (_, threshold)), one in zip(candidates.items(), row, strict=True)
            ],
        )
        for row, _ in drawn
    ]


def _drawn(
    rows: Sequence[Sequence[JudgedImage]], splits: Sequence[CocoSplit], image_files: ImageFiles
) -> Iterator[tuple[Sequence[JudgedImage], list[Rgb]]]:
    """Yields each row that can be read with its image drawn by the truth and each candidate."""
    for row in rows:
        try:
            rgb = fitted(read_original(image_files, row[0].image), SIDE)
        except InputError:
            continue
        size = rgb.shape[:2]
        truth = mark_objects(row[0].objects, splits[0].classes, *size)
        found = [
            mark_detections(one.found, split.classes, *size)
            for one, split in zip(row, splits, strict=True)
        ]
        yield row, [draw_boxes(rgb, *marks) for marks in (truth, *found)]


def _key(split: CocoSplit, image: CocoImage) -> tuple[object, ...]:
    objects = split.objects[image.id]
    names = tuple(split.classes[label - 1].name for label in objects.labels)
    return (
        image.file_name, image.height, image.width, names,
        objects.boxes_yxyx.tobytes(), objects.crowd.tobytes(),
    )  # fmt: skip
