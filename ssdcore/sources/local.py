"""The user's own images with annotations in COCO, VOC or YOLO format; the images stay in place.

If both splits name the same annotations and images, `val_share` of the images becomes the
validation split. VOC's own lists (train and val, else trainval and test) take precedence.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssdcore.coco.annotations import read_coco
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, open_image_files
from ssdcore.data.manifest import FetchedSplit, annotation_file
from ssdcore.params.dataset import LocalParams
from ssdcore.sources.coco_writer import ImageEntry, write_coco
from ssdcore.sources.selection import partition, val_names
from ssdcore.sources.voc import Voc, class_names
from ssdcore.sources.yolo import read_names, read_yolo

VOC_LISTS = (("train", "val"), ("trainval", "test"))


def fetch(params: LocalParams, folder: Path) -> dict[str, FetchedSplit]:
    """Writes the annotation files of both splits to `folder`.

    Raises:
        InputError: something is missing or wrong; the message names file and line.
    """
    splits = {}
    for split in layout.SPLITS:
        recorded, annotations = _paths(params, split)
        splits[split] = FetchedSplit(Path(recorded), recorded, annotations)
        _require_existing(recorded, f"dataset.local.{split}_images", "archive of images")
    if params.format == "coco":
        _copy_coco(params, folder)
    elif params.format == "voc":
        entries = _read_voc(params)
        write_coco(folder, entries, class_names(entries.values()), "Converted from Pascal VOC")
    else:
        entries, names = _read_yolo(params)
        write_coco(folder, entries, names, "Converted from YOLO")
    return splits


def _paths(params: LocalParams, split: str) -> tuple[str, str]:
    """Returns images and annotations of a split."""
    if split == "train":
        return params.train_images, params.train_annotations
    return params.val_images, params.val_annotations


def _require_existing(path: str, key: str, kind: str) -> None:
    if not Path(path).exists():
        raise InputError(key, path, f"a folder or a zip {kind}", f"Set {key} to it")


def _same_annotations(params: LocalParams) -> bool:
    return Path(params.train_annotations) == Path(params.val_annotations)


def _is_one_set(params: LocalParams) -> bool:
    return _same_annotations(params) and Path(params.train_images) == Path(params.val_images)


def _copy_coco(params: LocalParams, folder: Path) -> None:
    train, val = (annotation_file(folder, split) for split in layout.SPLITS)
    source = Path(params.train_annotations)
    read_coco(source)  # so that messages name the user's file, not the copy
    if _is_one_set(params):
        partition(source, train, val, params.val_share, params.split_seed)
        return
    if not _same_annotations(params):
        read_coco(Path(params.val_annotations))
    train.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, train)
    shutil.copyfile(params.val_annotations, val)


def _read_voc(params: LocalParams) -> dict[str, list[ImageEntry]]:
    splits: dict[str, list[ImageEntry]] = {}
    for split in layout.SPLITS:
        with _opened(params, split) as (files, where, images):
            voc = Voc(files, where, images)
            pair = next((p for p in VOC_LISTS if all(map(voc.has_list, p))), None)
            if _same_annotations(params) and pair is not None:
                splits[split] = voc.listed(pair[layout.SPLITS.index(split)])
            elif _is_one_set(params):
                return _divided(voc.everything(), params)
            else:
                splits[split] = voc.everything()
    return splits


def _read_yolo(params: LocalParams) -> tuple[dict[str, list[ImageEntry]], list[str]]:
    splits: dict[str, list[ImageEntry]] = {}
    names: list[str] = []
    for split in layout.SPLITS:
        with _opened(params, split) as (files, where, images):
            own_names = read_names(files, where)
            if names and own_names != names:
                expected = f"those of {params.train_annotations}: {names}"
                raise InputError(f"{where}: class names", own_names, expected)
            names = own_names
            inner = _inner_path(Path(_paths(params, split)[0]), Path(where))
            splits[split] = read_yolo(files, where, images, inner, names)
        if _is_one_set(params):
            return _divided(splits[split], params), names
    return splits, names


def _inner_path(images: Path, folder: Path) -> str:
    """Returns the path of the images' folder inside `folder`; "" if it is elsewhere."""
    images, folder = images.resolve(), folder.resolve()
    is_inside = images.is_dir() and images.is_relative_to(folder)
    return images.relative_to(folder).as_posix() if is_inside else ""


@contextmanager
def _opened(params: LocalParams, split: str) -> Iterator[tuple[ImageFiles, str, ImageFiles]]:
    """Opens a split; yields its annotations, their name in messages, and its images."""
    images, annotations = _paths(params, split)
    _require_existing(annotations, f"dataset.local.{split}_annotations", "archive")
    with (
        open_image_files(Path(annotations)) as files,
        open_image_files(Path(images)) as image_files,
    ):
        yield files, annotations, image_files


def _divided(images: list[ImageEntry], params: LocalParams) -> dict[str, list[ImageEntry]]:
    names = [image.file_name for image in images]
    val = val_names(names, params.val_share, params.split_seed, params.train_annotations)
    return {
        "train": [image for image in images if image.file_name not in val],
        "val": [image for image in images if image.file_name in val],
    }
