"""BCCD: 364 images of blood cells in three classes (Shenggan/BCCD_Dataset, MIT licence).

Upstream's lists define the splits: `trainval` is train (292 images), `test` is val (72). Two
boxes have no area; convert drops and counts them.
"""

from contextlib import suppress
from pathlib import Path

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, archive_fault, open_image_files
from ssdcore.data.images import BrokenImageError
from ssdcore.data.manifest import FetchedSplit
from ssdcore.download.local_copy import local_copy
from ssdcore.params.dataset import BccdParams
from ssdcore.sources.coco_writer import ImageEntry, write_coco
from ssdcore.sources.voc import Voc, class_names

CLASSES = ("RBC", "WBC", "Platelets")
LISTS = {"train": "trainval", "val": "test"}


def fetch(params: BccdParams, folder: Path) -> dict[str, FetchedSplit]:
    """Writes the images and annotation files of both splits to `folder`.

    Raises:
        InputError: the archive cannot be fetched, or has other content than expected.
    """
    archive = local_copy(params.archive, "dataset.bccd.archive", archive_fault)
    with open_image_files(archive) as files:
        voc = Voc(files, params.archive, files)
        splits = {split: voc.listed(name).entries for split, name in LISTS.items()}
        if unknown := set(class_names(splits.values())) - set(CLASSES):
            raise InputError(params.archive, sorted(unknown), f"the classes {', '.join(CLASSES)}")
        for split, images in splits.items():
            splits[split] = [_extracted(files, image, folder / split) for image in images]
    write_coco(folder, splits, CLASSES, "BCCD, github.com/Shenggan/BCCD_Dataset, MIT licence")
    return {
        split: FetchedSplit(folder / split, str(layout.images(split)), params.archive)
        for split in splits
    }


def _extracted(files: ImageFiles, image: ImageEntry, folder: Path) -> ImageEntry:
    """Writes an image to `folder` without its own folders; convert counts a missing one."""
    bare = image._replace(file_name=Path(image.file_name).name)
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(BrokenImageError):
        (folder / bare.file_name).write_bytes(files.read(image.file_name))
    return bare
