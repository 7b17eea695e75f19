"""The files that download writes beside the annotation files of data/raw, for later stages.

The manifest source.json has the paths and hashes of the images of train and val, source_test.json
those of a test split. The list unused.json names the parts of the input that no record uses.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ssdcore.coco.annotations import CocoSplit
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import read_json, write_json
from ssdcore.core.messages import counted
from ssdcore.data.image_files import archive_fault, image_names, open_image_files
from ssdcore.data.images import BrokenImageError
from ssdcore.download.local_copy import local_copy

UNLABELLED = "image without a label file, taken to show no objects"
"""The reason in unused.json of images that are used all the same."""


class FetchedSplit(NamedTuple):
    """A split as a data source provides it.

    `unused` is what no record uses: names of files (or classes) by the reason; `unused_test`
    likewise of a test split that is beside this one and is not used.
    """

    images: Path  # folder or zip archive on this machine
    recorded: str  # path or address under which later stages find it
    annotations: str  # their name in messages, such as the user's own path
    images_sha256: str = ""  # hash of the archive that holds the images, if it is known
    unused: Mapping[str, Sequence[str]] = MappingProxyType({})
    unused_test: Mapping[str, Sequence[str]] = MappingProxyType({})


class SplitSource(NamedTuple):
    """A split in the manifest."""

    images: str  # path or address of the folder or zip archive of the images
    listed: int  # number of images in the annotation file
    annotations_sha256: str  # of the annotation file in data/raw
    images_sha256: str  # of the archive, or of names and contents of the listed images that exist


def annotation_file(folder: Path, split: str) -> Path:
    """Returns the path of a split's annotation file, with `folder` in place of data/raw."""
    return folder / layout.annotations(split).relative_to(layout.RAW)


def write_unused(raw: Path, unused: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Writes unused.json to `raw`: the names by split and reason; nothing if all is used.

    Reasons read like "label file without an image" and are the same for all files of a kind. Each
    name appears once, under the first split that could use it.
    """
    found = {
        split: {reason: list(names) for reason, names in reasons.items() if names}
        for split, reasons in unused.items()
    }
    if found := {split: reasons for split, reasons in found.items() if reasons}:
        write_json(raw / layout.UNUSED.name, found)


def read_unused(raw: Path) -> dict[str, dict[str, list[str]]]:
    """Returns what `write_unused` wrote to `raw`; empty if all of the input is used."""
    path = raw / layout.UNUSED.name
    return read_json(path) if path.is_file() else {}


def image_folder(source_json: Path, split: str) -> Path:
    """Returns the folder or zip archive of a split's images, from the manifest.

    An archive in the user's cache is recorded by its address, so that data/raw is the same on
    every machine; if the cache lacks it, it is fetched.
    """
    content = read_json(source_json)
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
    digest, present, fault = hashlib.sha256(), 0, ""
    with open_image_files(fetched.images) as image_files:
        there = image_names(image_files)[:1]
        if fetched.images_sha256:
            present = len({image.file_name for image in split.images} & set(image_files.names()))
        else:
            for image in split.images:
                try:
                    data = image_files.read(image.file_name)
                except BrokenImageError as error:
                    fault = f" ({image.file_name}: {error})"
                    continue  # convert counts it, with the reason
                # a file name can hold bytes that are not UTF-8
                name = image.file_name.encode("utf-8", "surrogatepass")
                digest.update(name + b"\0" + hashlib.sha256(data).digest())
                present += 1
    if not present:
        listed = counted(len(split.images), "image")
        others = f"images such as {there[0]} are there" if there else "there is no image at all"
        found = f"none of {listed} of {fetched.annotations} that this split uses{fault}; {others}"
        expected = f"files such as {split.images[0].file_name}"
        remedy = "Name the folder that holds images and annotations, often the one above"
        if there:
            remedy = "Put copies there under these names, or correct the names in the annotations"
        raise InputError(str(fetched.images), found, expected, remedy)
    images_sha256 = fetched.images_sha256 or digest.hexdigest()
    return SplitSource(fetched.recorded, len(split.images), annotations_sha256, images_sha256)
