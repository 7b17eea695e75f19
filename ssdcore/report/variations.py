"""What training sees: some training images as they are, and as training varies them."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ssdcore.coco.annotations import CocoClass, CocoSplit
from ssdcore.data.augment import Sample, augment, image_generator
from ssdcore.data.image_files import open_image_files
from ssdcore.geometry.default_boxes import IMAGE_SIZE
from ssdcore.params.schema import AugmentParams
from ssdcore.report.box_annotations import mark_objects
from ssdcore.report.choice import SEED, choose
from ssdcore.report.content import VariedImage
from ssdcore.report.drawing import Rgb, draw_boxes, encode_jpeg, fitted
from ssdcore.report.originals import read_original

IMAGES, VERSIONS = 4, 3


def draw_variations(
    split: CocoSplit, folder: Path, skipped: Collection[str], strengths: AugmentParams
) -> Iterator[VariedImage]:
    """Draws up to 4 images, each as it is and then as three epochs vary it, with its objects.

    Where all strengths are 0, each comes as it is alone.

    Args:
        split: the training split's ground truth.
        folder: of its images, or their zip archive.
        skipped: file names that convert left out, so that training never sees them.
        strengths: how far training varies images.

    Raises:
        InputError: an image is no longer what convert found.
    """
    versions_drawn = VERSIONS if any(strengths.model_dump().values()) else 0
    images = [image for image in split.images if image.file_name not in skipped]
    chosen = choose([int((~split.objects[i.id].crowd).sum()) for i in images], IMAGES)
    with open_image_files(folder) as image_files:
        for image in (images[index] for index in chosen):
            sample = Sample(read_original(image_files, image), split.objects[image.id])
            versions = [sample._replace(rgb=fitted(sample.rgb, IMAGE_SIZE))]
            for epoch in range(1, versions_drawn + 1):
                rng = image_generator(SEED, epoch, image.id)
                versions.append(augment(sample, strengths, rng))
            drawn = [_drawn(version, split.classes) for version in versions]
            yield VariedImage(image.file_name, [encode_jpeg(rgb) for rgb in drawn])


def _drawn(version: Sample, classes: Sequence[CocoClass]) -> Rgb:
    height, width = version.rgb.shape[:2]
    return draw_boxes(version.rgb, *mark_objects(version.objects, classes, height, width))
