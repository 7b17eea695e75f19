"""The user's own images, where they are, annotated in COCO's, VOC's or YOLO's format.

Where the splits name the same annotations and the same images, `val_share` of the images is
split off for validation; VOC's own lists (train and val, else trainval and test) go before that.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssdcore.coco.annotations import read_coco
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, open_image_files
from ssdcore.data.manifest import Place, annotation_file
from ssdcore.params.dataset import LocalParams
from ssdcore.sources.coco_writer import ImageEntry, write_documents
from ssdcore.sources.selection import partition, val_names
from ssdcore.sources.voc import Voc, class_names
from ssdcore.sources.yolo import read_names, read_yolo

VOC_LISTS = (("train", "val"), ("trainval", "test"))


def fetch(local: LocalParams, folder: Path) -> dict[str, Place]:
    """Writes the annotation files of both splits to `folder`; the images stay.

    Raises:
        InputError: something is missing or wrong; the message names file and line.
    """
    for split in layout.SPLITS:
        images = Path(getattr(local, f"{split}_images"))
        if not images.exists():
            key = f"dataset.local.{split}_images"
            expected = "a folder or a zip archive of images"
            raise InputError(key, str(images), expected, f"Set {key} to it")
    if local.format == "coco":
        _copy_coco(local, folder)
    elif local.format == "voc":
        splits = _read_voc(local)
        write_documents(folder, splits, class_names(splits.values()), "Converted from Pascal VOC")
    else:
        splits, names = _read_yolo(local)
        write_documents(folder, splits, names, "Converted from YOLO")
    return {split: _place(local, split) for split in layout.SPLITS}


def _place(local: LocalParams, split: str) -> Place:
    images = getattr(local, f"{split}_images")
    return Place(Path(images), images, getattr(local, f"{split}_annotations"))


def _same_annotations(local: LocalParams) -> bool:
    return Path(local.train_annotations) == Path(local.val_annotations)


def _is_one_set(local: LocalParams) -> bool:
    return _same_annotations(local) and Path(local.train_images) == Path(local.val_images)


def _copy_coco(local: LocalParams, folder: Path) -> None:
    targets = {split: annotation_file(folder, split) for split in layout.SPLITS}
    for split, target in targets.items():
        path = Path(getattr(local, f"{split}_annotations"))
        if split == "train" or not _same_annotations(local):
            read_coco(path)  # so that messages name the user's file, not the copy
        if not _is_one_set(local):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    if _is_one_set(local):
        source, share = Path(local.train_annotations), local.val_share
        partition(source, targets["train"], targets["val"], share, local.split_seed)


def _read_voc(local: LocalParams) -> dict[str, list[ImageEntry]]:
    if not _same_annotations(local):
        splits = {}
        for split in layout.SPLITS:
            with _opened(local, split) as (files, place, images):
                splits[split] = Voc(files, place, images).everything()
        return splits
    splits = {}
    for split in layout.SPLITS:
        with _opened(local, split) as (files, place, images):
            voc = Voc(files, place, images)
            pair = next((p for p in VOC_LISTS if all(map(voc.has_list, p))), None)
            if pair is not None:
                splits[split] = voc.listed(pair[layout.SPLITS.index(split)])
            elif _is_one_set(local):
                return _shared_out(voc.everything(), local)
            else:
                splits[split] = voc.everything()
    return splits


def _read_yolo(local: LocalParams) -> tuple[dict[str, list[ImageEntry]], list[str]]:
    splits: dict[str, list[ImageEntry]] = {}
    names: list[str] = []
    for split in layout.SPLITS:
        with _opened(local, split) as (files, place, images):
            own_names = read_names(files, place)
            if names and own_names != names:
                expected = f"those of {local.train_annotations}: {names}"
                raise InputError(f"{place}: class names", own_names, expected)
            names = own_names
            below = _below(Path(getattr(local, f"{split}_images")), Path(place))
            splits[split] = read_yolo(files, place, images, below, names)
        if _is_one_set(local):
            return _shared_out(splits[split], local), names
    return splits, names


def _below(images: Path, place: Path) -> str:
    """Returns the path of the images' folder inside the other one, "" where it is not there."""
    images, place = images.resolve(), place.resolve()
    inside = images.is_dir() and images.is_relative_to(place)
    return images.relative_to(place).as_posix() if inside else ""


@contextmanager
def _opened(local: LocalParams, split: str) -> Iterator[tuple[ImageFiles, str, ImageFiles]]:
    """Opens a split's annotations, named as messages shall name them, and its images."""
    place = getattr(local, f"{split}_annotations")
    if not Path(place).exists():
        key = f"dataset.local.{split}_annotations"
        raise InputError(key, place, "a folder or a zip archive", f"Set {key} to it")
    images = Path(getattr(local, f"{split}_images"))
    with open_image_files(Path(place)) as files, open_image_files(images) as image_files:
        yield files, place, image_files


def _shared_out(image_files: list[ImageEntry], local: LocalParams) -> dict[str, list[ImageEntry]]:
    names = [image.file_name for image in image_files]
    val = val_names(names, local.val_share, local.split_seed, local.train_annotations)
    return {
        "train": [image for image in image_files if image.file_name not in val],
        "val": [image for image in image_files if image.file_name in val],
    }
