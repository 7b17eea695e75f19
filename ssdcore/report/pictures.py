"""The gallery: validation pictures from the worst to the best, truth beside predictions."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore.data.coco import CocoImage, CocoSplit
from ssdcore.data.pictures import open_pictures
from ssdcore.detection.coco_results import from_results
from ssdcore.report.content import GalleryPicture
from ssdcore.report.drawing import Picture, encode_jpeg, side_by_side
from ssdcore.report.gallery import Tally, choose, image_tally
from ssdcore.report.marks import mark_detections, mark_objects
from ssdcore.report.originals import read_original


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
        folder: of the pictures, or their zip archive.
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
    with open_pictures(folder) as pictures:
        for index in choose([tally.f1 for tally in tallies], count):
            image, objects = images[index], split.objects[images[index].id]
            rgb = read_original(pictures, image)
            truth = mark_objects(objects, split.classes, image.height, image.width)
            predicted = mark_detections(found[index], split.classes, image.height, image.width)
            yield DrawnPicture(image, tallies[index], side_by_side(rgb, truth, predicted))


def encoded(drawn: DrawnPicture) -> GalleryPicture:
    """Returns a drawn picture as the page shows it."""
    tally = drawn.tally
    return GalleryPicture(
        f"{drawn.image.file_name}: {tally.hits} found, {tally.misses} missed, "
        f"{tally.extras} invented",
        encode_jpeg(drawn.rgb),
        "Ground truth on the left, predictions on the right",
    )
