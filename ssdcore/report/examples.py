"""Validation images drawn with ground truth and predictions, the same ones for every run."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from ssdcore.coco.annotations import CocoImage, CocoSplit
from ssdcore.coco.results import CocoResults, from_results
from ssdcore.data.image_files import open_image_files
from ssdcore.report.box_annotations import mark_detections, mark_objects
from ssdcore.report.choice import choose
from ssdcore.report.drawing import Rgb, side_by_side
from ssdcore.report.originals import read_original


class Example(NamedTuple):
    """A validation image, drawn twice side by side: (H, W, 3) uint8."""

    image: CocoImage
    rgb: Rgb


def draw_examples(
    split: CocoSplit,
    results: CocoResults,
    folder: Path,
    skipped: Collection[str],
    count: int,
    score_threshold: float,
) -> Iterator[Example]:
    """Draws images that depend on the data set alone, so that runs can be compared by them.

    Args:
        split: the ground truth.
        results: the detections.
        folder: of the images, or their zip archive.
        skipped: file names that convert left out, so that the detector never saw them.
        count: how many images to draw at most.
        score_threshold: least score of a detection that is drawn.

    Raises:
        InputError: an image is no longer what convert found.
    """
    images = [image for image in split.images if image.file_name not in skipped]
    several = [int((~split.objects[image.id].crowd).sum()) for image in images]
    with open_image_files(folder) as image_files:
        for image in (images[index] for index in choose(several, count)):
            own = (results.image_ids == image.id) & (results.scores >= score_threshold)
            found = from_results(results.select(own), image, split.classes)
            size = image.height, image.width
            truth = mark_objects(split.objects[image.id], split.classes, *size)
            predicted = mark_detections(found, split.classes, *size)
            rgb = read_original(image_files, image)
            yield Example(image, side_by_side(rgb, truth, predicted))
