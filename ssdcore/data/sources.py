"""Where the pictures come from: fetched, drawn, or checked where the user keeps them."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ssdcore import layout
from ssdcore.data.coco import CocoSplit, read_coco
from ssdcore.data.images import BrokenImageError, read_bytes
from ssdcore.data.shapes import write_shapes
from ssdcore.errors import InputError
from ssdcore.files import sha256_of_file, write_json
from ssdcore.params import DatasetParams, LocalParams, ShapesParams


class SplitSource(NamedTuple):
    """Where one split's pictures are, and what they were when download saw them.

    Attributes:
        images: folder of the pictures.
        listed: images in the annotation file.
        annotations_sha256: hash of the annotation file as the user has it.
        images_sha256: hash over the names and contents of the listed images that are there.
    """

    images: str
    listed: int
    annotations_sha256: str
    images_sha256: str


def fetch(dataset: DatasetParams, folder: Path) -> dict[str, SplitSource]:
    """Fills `folder` with the data set's annotation files, pictures and source.json.

    Pictures of the user's own stay where they are; only their annotation files are copied.

    Raises:
        InputError: the data set is not to be had, or the user's files are not usable.
    """
    if dataset.name == "shapes":
        splits = _draw(dataset.shapes, folder)
    elif dataset.name == "local":
        splits = _check_local(dataset.local, folder)
    else:
        raise InputError(
            "dataset.name", dataset.name, "shapes or local (others are not supported yet)",
            "Download it yourself and use dataset.name: local",
        )  # fmt: skip
    record = {name: split._asdict() for name, split in splits.items()}
    write_json(folder / layout.SOURCE.name, {"name": dataset.name, "splits": record})
    return splits


def image_folder(source_json: Path, split: str) -> Path:
    """Returns the folder of a split's pictures, as download recorded it."""
    record = json.loads(source_json.read_text(encoding="utf-8"))
    return Path(record["splits"][split]["images"])


def _draw(shapes: ShapesParams, folder: Path) -> dict[str, SplitSource]:
    write_shapes(folder, shapes.seed, shapes.train_images, shapes.val_images)
    splits = {}
    for split in layout.SPLITS:
        annotations = folder / layout.annotations(split).relative_to(layout.RAW)
        recorded = str(layout.images(split))
        splits[split] = _describe(annotations, read_coco(annotations), folder / split, recorded)
    return splits


def _check_local(local: LocalParams, folder: Path) -> dict[str, SplitSource]:
    splits, seen = {}, {}
    for split in layout.SPLITS:
        annotations = Path(getattr(local, f"{split}_annotations"))
        images = Path(getattr(local, f"{split}_images"))
        if not images.is_dir():
            key = f"dataset.local.{split}_images"
            raise InputError(key, str(images), "a folder of pictures", f"Set {key} to it")
        seen[split] = read_coco(annotations)
        splits[split] = _describe(annotations, seen[split], images, str(images))
        copy = folder / layout.annotations(split).relative_to(layout.RAW)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(annotations, copy)
    _require_same_classes(local, seen)
    return splits


def _describe(annotations: Path, split: CocoSplit, images: Path, recorded: str) -> SplitSource:
    """Hashes a split; at least one of its listed images must be there."""
    listed = split.images
    digest, present = hashlib.sha256(), 0
    for image in listed:
        try:
            data = read_bytes(images, image.file_name)
        except BrokenImageError:
            continue  # convert counts it, with the reason
        digest.update(image.file_name.encode() + b"\0" + hashlib.sha256(data).digest())
        present += 1
    if not present:
        raise InputError(
            str(images), f"none of the {len(listed)} images of {annotations}",
            f"files such as {listed[0].file_name}",
        )  # fmt: skip
    return SplitSource(recorded, len(listed), sha256_of_file(annotations), digest.hexdigest())


def _require_same_classes(local: LocalParams, splits: Mapping[str, CocoSplit]) -> None:
    train, val = splits["train"].classes, splits["val"].classes
    if train != val:
        raise InputError(
            f"{local.val_annotations}: categories", [tuple(c) for c in val][:5],
            f"those of {local.train_annotations}: {[tuple(c) for c in train][:5]}",
            "Give both files the same categories with the same ids",
        )  # fmt: skip
