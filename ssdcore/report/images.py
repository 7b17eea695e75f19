"""The galleries: validation images with what the detector found in them, judged."""

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ssdcore.coco.annotations import CocoImage, CocoSplit
from ssdcore.coco.boxes import Objects
from ssdcore.coco.results import CocoResults, Detections, from_results
from ssdcore.data.image_files import open_image_files
from ssdcore.evaluation.outcomes import Outcomes, judge
from ssdcore.report.content import GalleryImage
from ssdcore.report.drawing import Rgb, encode_jpeg, fitted
from ssdcore.report.gallery import GALLERIES, Tally, choose, tally
from ssdcore.report.originals import read_original
from ssdcore.report.overlay import detection_boxes, object_boxes

FAINTEST = 0.05
"""Least score of a detection that the page knows, so that its threshold can be lowered."""
BUDGET_BYTES = 2_000_000
"""Of all gallery images together; a page has them in base64, a third longer."""
ENCODINGS = ((640, 82), (560, 78), (480, 74), (400, 70), (320, 62), (240, 55))
"""Longer side in pixels and JPEG quality, tried in turn until the images fit the budget."""


def at_a_step(threshold: float) -> float:
    """Returns the threshold that a slider in hundredths can show, the next one below."""
    return math.floor(round(100 * threshold, 6)) / 100


class JudgedImage(NamedTuple):
    """A validation image and what became of its objects and detections."""

    image: CocoImage
    objects: Objects
    found: Detections
    outcomes: Outcomes
    tally: Tally


def judge_images(
    split: CocoSplit,
    results: CocoResults,
    skipped: Collection[str],
    score_threshold: float,
) -> list[JudgedImage]:
    """Judges the detections of all images of a split.

    Args:
        split: the ground truth.
        results: the detections.
        skipped: file names that convert left out, so that the detector never saw them.
        score_threshold: least score of a detection that counts.
    """
    nothing = results.select(slice(0))
    by_image = results.select(results.scores >= score_threshold).by_image()
    judged = []
    for image in split.images:
        if image.file_name in skipped:
            continue
        objects = split.objects[image.id]
        found = from_results(by_image.get(image.id, nothing), image, split.classes)
        outcomes = judge(objects, found)
        judged.append(JudgedImage(image, objects, found, outcomes, tally(objects, outcomes)))
    return judged


def gallery_images(
    split: CocoSplit,
    results: CocoResults,
    folder: Path,
    skipped: Collection[str],
    count: int,
    score_threshold: float,
) -> list[GalleryImage]:
    """Returns the images of all galleries, each once, with all boxes above `FAINTEST`.

    Args:
        split: the ground truth.
        results: the detections.
        folder: of the images, or their zip archive.
        skipped: file names that convert left out.
        count: how many images each gallery has at most.
        score_threshold: least score of a detection that decides which images these are.

    Raises:
        InputError: an image is no longer what convert found.
    """
    judged = judge_images(split, results, skipped, score_threshold)
    chosen = choose([one.tally for one in judged], count)
    ranks: dict[int, dict[str, int]] = defaultdict(dict)
    for rank in range(count):  # the first of each gallery before the second of any
        for name in GALLERIES:
            if rank < len(chosen[name]):
                ranks[chosen[name][rank]][name] = rank
    shown = [judged[index].image for index in ranks]
    faintest = min(FAINTEST, score_threshold)
    near = results.select(np.isin(results.image_ids, [image.id for image in shown]))
    with_faint = {
        one.image.id: one
        for one in judge_images(split._replace(images=tuple(shown)), near, skipped, faintest)
    }
    with open_image_files(folder) as image_files:
        originals = [
            _at_most(read_original(image_files, image), ENCODINGS[0][0]) for image in shown
        ]
    found = []
    for index, jpeg in zip(ranks, encode_within(originals, BUDGET_BYTES), strict=True):
        image, objects, _, outcomes, _ = judged[index]
        faint = with_faint[image.id]
        found.append(
            GalleryImage(
                image.file_name,
                jpeg,
                image.width,
                image.height,
                ranks[index],
                object_boxes(objects, outcomes, split.classes),
                detection_boxes(faint.found, faint.outcomes, objects, split.classes),
            )
        )
    return found


def encode_within(image_files: Sequence[Rgb], budget_bytes: int) -> list[bytes]:
    """Returns the images as JPEGs, as large and as good as the budget for all of them allows.

    All are encoded alike. With the last of `ENCODINGS` they may exceed the budget.
    """
    jpegs: list[bytes] = []
    for side, quality in ENCODINGS:
        jpegs = [encode_jpeg(_at_most(rgb, side), quality) for rgb in image_files]
        if sum(map(len, jpegs)) <= budget_bytes:
            break
    return jpegs


def _at_most(rgb: Rgb, side: int) -> Rgb:
    """Returns the image, scaled down where its longer side has more than `side` pixels."""
    return fitted(rgb, side) if max(rgb.shape[:2]) > side else rgb
