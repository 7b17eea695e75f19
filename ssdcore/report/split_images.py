"""The images of a split that convert kept: which ones to show, and their pixels."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssdcore.coco.annotations import CocoImage, CocoSplit
from ssdcore.core.errors import InputError
from ssdcore.core.machine_faults import retrying
from ssdcore.data.image_files import ImageFiles, open_image_files
from ssdcore.data.images import BrokenImageError, checked, decode
from ssdcore.report.drawing import Rgb

OBJECTS = range(2, 9)
"""The preferred number of objects in an example image."""
SEED = 1
"""Does not follow runtime.seed, so that the reports of all runs show the same images."""


@dataclass(frozen=True)
class SplitImages:
    """A split's annotations and its image files.

    Attributes:
        split: the ground truth.
        folder: the image folder, or a zip archive.
        skipped: file names that convert skipped; they are never shown.
    """

    split: CocoSplit
    folder: Path
    skipped: Collection[str] = ()

    @property
    def kept(self) -> list[CocoImage]:
        """The images that convert kept, in the order of the annotation file."""
        return [image for image in self.split.images if image.file_name not in self.skipped]

    def examples(self, count: int) -> list[CocoImage]:
        """Returns at most `count` typical images, which depend on the data set alone."""
        kept = self.kept
        objects = [int((~self.split.objects[image.id].crowd).sum()) for image in kept]
        return [kept[index] for index in choose_examples(objects, count)]

    def read(self, images: Sequence[CocoImage]) -> Iterator[Rgb]:
        """Yields the pixels (H, W, 3) of images.

        Raises:
            InputError: an image has changed since convert read it.
        """
        with open_image_files(self.folder) as files:
            for image in images:
                yield read_image(files, image)


def choose_examples(objects: Sequence[int], count: int) -> list[int]:
    """Returns the indices of `count` images or fewer, in a random order with a fixed seed.

    Images with `OBJECTS` objects come first, then those with the nearest number; images without
    objects come last.
    """
    order = np.random.default_rng(SEED).permutation(len(objects))

    def distance(index: int) -> tuple[bool, int]:
        number = objects[index]
        return number == 0, max(OBJECTS[0] - number, number - OBJECTS[-1], 0)

    return sorted(order.tolist(), key=distance)[:count]


def read_image(files: ImageFiles, image: CocoImage) -> Rgb:
    """Reads an image (H, W, 3) as convert read it.

    Raises:
        InputError: the image has changed since convert read it.
        RunError: the machine fails to read it.
    """

    def read() -> Rgb:
        data = files.read(image.file_name)
        return decode(checked(data, image.height, image.width, turn_upright=image.turn_upright))

    try:
        return retrying(read, image.file_name)
    except BrokenImageError as error:
        raise InputError(
            image.file_name,
            str(error),
            "the image that was converted",
            "Run dvc repro again to convert the changed images",
        ) from None
