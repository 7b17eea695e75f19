"""The manifest data/raw/source.json: where the images of each split are, and their hashes."""

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


class FetchedSplit(NamedTuple):
    """A split as a data source provides it.

    Attributes:
        images: folder or zip archive of the images on this machine.
        recorded: path or address under which later stages find it.
        annotations: name of the annotations in messages, such as the user's own path.
        images_sha256: hash of the archive that holds the images, if it is known.
    """

    images: Path
    recorded: str
    annotations: str
    images_sha256: str = ""


class SplitSource(NamedTuple):
    """A split in the manifest.

    Attributes:
        images: path or address of the folder or zip archive of the images.
        listed: number of images in the annotation file.
        annotations_sha256: hash of the annotation file in data/raw.
        images_sha256: hash of the archive that holds the images, or of the names and contents of
            the listed images that exist.
    """

    images: str
    listed: int
    annotations_sha256: str
    images_sha256: str


def annotation_file(folder: Path, split: str) -> Path:
    """Returns the path of a split's annotation file, with `folder` in place of data/raw."""
    return folder / layout.annotations(split).relative_to(layout.RAW)


def image_folder(source_json: Path, split: str) -> Path:
    """Returns the folder or zip archive of a split's images, from the manifest.

    An archive in the user's cache is recorded by its address, so that data/raw is the same on
    every machine; if the cache lacks it, it is fetched.
    """
    content = json.loads(source_json.read_text(encoding="utf-8"))
    key = f"{source_json}: splits.{split}.images"
    return recorded_images(content["splits"][split]["images"], key)


def recorded_images(recorded: str, key: str) -> Path:
    """Returns the folder or zip archive that the manifest records under `key`."""
    return local_copy(recorded, key, archive_fault) if "://" in recorded else Path(recorded)


def describe(split: CocoSplit, annotations_sha256: str, fetched: FetchedSplit) -> SplitSource:
    """Returns the manifest's entry of a split; hashes the images unless their hash is known.

    Raises:
        InputError: none of the listed images exists.
    """
    digest, present = hashlib.sha256(), 0
    with open_image_files(fetched.images) as image_files:
        if fetched.images_sha256:
            present = len({image.file_name for image in split.images} & set(image_files.names()))
        else:
            for image in split.images:
                try:
                    data = image_files.read(image.file_name)
                except BrokenImageError:
                    continue  # convert counts it, with the reason
                # a file name can hold bytes that are not UTF-8
                name = image.file_name.encode("utf-8", "surrogatepass")
                digest.update(name + b"\0" + hashlib.sha256(data).digest())
                present += 1
    if not present:
        found = f"none of the {len(split.images)} images of {fetched.annotations}"
        raise InputError(str(fetched.images), found, f"files such as {split.images[0].file_name}")
    images_sha256 = fetched.images_sha256 or digest.hexdigest()
    return SplitSource(fetched.recorded, len(split.images), annotations_sha256, images_sha256)
