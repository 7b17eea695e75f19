"""The same images with each candidate's detections, largest differences first."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ssdcore.coco.annotations import CocoImage, CocoSplit
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, open_image_files
from ssdcore.report.comparison.candidate import Detected
from ssdcore.report.drawing import (
    Rgb,
    annotate_objects,
    draw_boxes,
    draw_detections,
    scale_to_fit,
)
from ssdcore.report.gallery import BUDGET_BYTES, JudgedImage, Tally, encode_within, judge_images
from ssdcore.report.split_images import read_image

SIDE = 440  # pixels of a panel's longer side


class Panel(NamedTuple):
    """The image with the detections of a candidate, by its index, and how well they fit.

    The threshold is the minimum score of those that are drawn and counted.
    """

    candidate: int
    jpeg: bytes
    tally: Tally
    threshold: float


class ComparedImage(NamedTuple):
    """An image: its file name, a JPEG with its ground truth, and a panel for each candidate."""

    name: str
    truth: bytes
    panels: Sequence[Panel]


def shared_images(splits: Sequence[CocoSplit]) -> list[tuple[CocoImage, ...]]:
    """Returns the images that all splits have, an entry for each split, in the first one's order.

    Images are the same if name, size, objects and class names are.
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
    """Draws the images that all candidates share, the largest differences of F1 first.

    An image that can't be read any more is skipped.

    Args:
        candidates: detections and threshold of each, by its index.
        folder: the image folder, or a zip archive.
        count: maximum number of images.

    Raises:
        InputError: there is no such folder or archive.
    """
    splits = [detected.split for detected, _ in candidates.values()]
    images = list(zip(*shared_images(splits), strict=True)) or [()] * len(splits)
    judged = [
        judge_images(detected.split, own, detected.results, threshold)
        for (detected, threshold), own in zip(candidates.values(), images, strict=True)
    ]
    rows = list(zip(*judged, strict=True))
    rows.sort(key=lambda row: min(o.tally.f1 for o in row) - max(o.tally.f1 for o in row))
    with open_image_files(folder) as files:
        drawn = list(islice(_draw(rows, splits, files), count))
    jpegs = iter(encode_within([rgb for _, sheet in drawn for rgb in sheet], BUDGET_BYTES))
    return [
        ComparedImage(
            row[0].image.file_name,
            next(jpegs),
            [
                Panel(index, next(jpegs), one.tally, threshold)
                for (index, (_, threshold)), one in zip(candidates.items(), row, strict=True)
            ],
        )
        for row, _ in drawn
    ]


def _draw(
    rows: Sequence[Sequence[JudgedImage]], splits: Sequence[CocoSplit], files: ImageFiles
) -> Iterator[tuple[Sequence[JudgedImage], list[Rgb]]]:
    """Yields each readable row with its image, drawn with the truth and with each candidate."""
    for row in rows:
        try:
            rgb = scale_to_fit(read_image(files, row[0].image), SIDE)
        except InputError:
            continue
        truth = draw_boxes(rgb, annotate_objects(row[0].objects, splits[0].classes))
        pairs = zip(row, splits, strict=True)
        yield row, [truth, *(draw_detections(rgb, one.found, s.classes) for one, s in pairs)]


def _key(split: CocoSplit, image: CocoImage) -> tuple[object, ...]:
    objects = split.objects[image.id]
    names = tuple(split.classes[label - 1].name for label in objects.labels)
    return (
        image.file_name, image.height, image.width, names,
        objects.boxes_yxyx.tobytes(), objects.crowd.tobytes(),
    )  # fmt: skip
