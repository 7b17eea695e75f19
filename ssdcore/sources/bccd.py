"""BCCD: 364 images of blood cells in three classes (Shenggan/BCCD_Dataset, MIT licence).

Upstream's lists make the splits: `trainval` is train (292 images), `test` is val (72). Two of
its boxes have no area; convert drops and counts them.
"""

from pathlib import Path

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, archive_fault, open_image_files
from ssdcore.data.images import BrokenImageError
from ssdcore.data.manifest import Place
from ssdcore.download.local_copy import local_copy
from ssdcore.params.dataset import BccdParams
from ssdcore.sources.coco_writer import ImageEntry, write_documents
from ssdcore.sources.voc import Voc, class_names

CLASSES = ("RBC", "WBC", "Platelets")
LISTS = {"train": "trainval", "val": "test"}
KEY = "dataset.bccd.archive"


def fetch(bccd: BccdParams, folder: Path) -> dict[str, Place]:
    """Writes the images and annotation files of both splits to `folder`.

    Raises:
        InputError: the archive is not to be had, or not what it should be.
    """
    archive = local_copy(bccd.archive, KEY, archive_fault)
    with open_image_files(archive) as files:
        voc = Voc(files, bccd.archive, files)
        splits = {split: voc.listed(name) for split, name in LISTS.items()}
        if unknown := set(class_names(splits.values())) - set(CLASSES):
            raise InputError(bccd.archive, sorted(unknown), f"the classes {', '.join(CLASSES)}")
        for split, image_files in splits.items():
            splits[split] = [_taken_out(files, image, folder / split) for image in image_files]
    write_documents(folder, splits, CLASSES, "BCCD, github.com/Shenggan/BCCD_Dataset, MIT licence")
    return {
        split: Place(folder / split, str(layout.images(split)), bccd.archive) for split in splits
    }


def _taken_out(files: ImageFiles, image: ImageEntry, folder: Path) -> ImageEntry:
    """Writes an image's file below its bare name; one that is missing stays so for convert."""
    bare = image._replace(file_name=Path(image.file_name).name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / bare.file_name).write_bytes(files.read(image.file_name))
    except BrokenImageError:
        return bare
    return bare
