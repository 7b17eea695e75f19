"""What download leaves in data/raw beside the annotation files: source.json."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from ssdcore.coco.annotations import CocoSplit
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import archive_fault, open_image_files
from ssdcore.data.images import BrokenImageError
from ssdcore.download.local_copy import local_copy


class Place(NamedTuple):
    """Where a source has a split's images.

    Attributes:
        images: their folder or zip archive, now.
        recorded: path or address under which the later stages find it.
        annotations: what messages call the annotations, the user's own path for instance.
        images_sha256: what stands for the images' content if it is known: the archive's hash.
    """

    images: Path
    recorded: str
    annotations: str
    images_sha256: str = ""


class SplitSource(NamedTuple):
    """Where one split's images are, and what they were when download saw them.

    Attributes:
        images: folder or zip archive of the images, a path or an address.
        listed: images in the annotation file.
        annotations_sha256: hash of the annotation file in data/raw.
        images_sha256: hash over the names and contents of the listed images that are there, or
            of the archive that holds them.
    """

    images: str
    listed: int
    annotations_sha256: str
    images_sha256: str


def annotation_file(folder: Path, split: str) -> Path:
    """Returns where a split's annotation file belongs while `folder` stands for data/raw."""
    return folder / layout.annotations(split).relative_to(layout.RAW)


def image_folder(source_json: Path, split: str) -> Path:
    """Returns the folder or zip archive of a split's images, as download recorded it.

    An archive in the user's cache is recorded by its address, so that data/raw is the same on
    every machine; where the cache lacks it, it is fetched.
    """
    record = json.loads(source_json.read_text(encoding="utf-8"))
    return recorded_place(
        record["splits"][split]["images"], f"{source_json}: splits.{split}.images"
    )


def recorded_place(images: str, key: str) -> Path:
    """Returns the folder or zip archive that download recorded under `key`."""
    return local_copy(images, key, archive_fault) if "://" in images else Path(images)


def describe(split: CocoSplit, annotations_sha256: str, place: Place) -> SplitSource:
    """Hashes a split's images, unless the place brings a hash.

    Raises:
        InputError: none of the listed images is there.
    """
    digest, present = hashlib.sha256(), 0
    with open_image_files(place.images) as image_files:
        if place.images_sha256:
            present = len({image.file_name for image in split.images} & set(image_files.names()))
        else:
            for image in split.images:
                try:
                    data = image_files.read(image.file_name)
                except BrokenImageError:
                    continue  # convert counts it, with the reason
                name = image.file_name.encode("utf-8", "surrogatepass")  # it need not be text
                digest.update(name + b"\0" + hashlib.sha256(data).digest())
                present += 1
    if not present:
        raise InputError(
            str(place.images), f"none of the {len(split.images)} images of {place.annotations}",
            f"files such as {split.images[0].file_name}",
        )  # fmt: skip
    images_sha256 = place.images_sha256 or digest.hexdigest()
    return SplitSource(place.recorded, len(split.images), annotations_sha256, images_sha256)
