"""Where the pictures come from: fetched, drawn, or checked where the user keeps them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore import layout
from ssdcore.data.coco import CocoSplit, read_coco
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

    Pictures of the user's own stay where they are; only their annotation files are copied,
    with `area`, `iscrowd` and `id` filled in where a tool left them out.

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
    return {
        split: _describe(
            folder / layout.annotations(split).relative_to(layout.RAW),
            folder / split,
            str(layout.images(split)),
        )
        for split in layout.SPLITS
    }


def _check_local(local: LocalParams, folder: Path) -> dict[str, SplitSource]:
    splits, seen = {}, {}
    for split in layout.SPLITS:
        annotations = Path(getattr(local, f"{split}_annotations"))
        images = Path(getattr(local, f"{split}_images"))
        if not images.is_dir():
            key = f"dataset.local.{split}_images"
            raise InputError(key, str(images), "a folder of pictures", f"Set {key} to it")
        seen[split] = read_coco(annotations)
        splits[split] = _describe(annotations, images, str(images))
        copy = folder / layout.annotations(split).relative_to(layout.RAW)
        write_json(copy, _completed(json.loads(annotations.read_bytes())))
    _require_same_classes(local, seen)
    return splits


def _describe(annotations: Path, images: Path, recorded: str) -> SplitSource:
    """Hashes a split; at least one of its listed images must be there."""
    listed = read_coco(annotations).images
    digest, present = hashlib.sha256(), 0
    for image in listed:
        path = images / image.file_name
        if path.is_file():
            digest.update(f"{image.file_name}\0{sha256_of_file(path)}\n".encode())
            present += 1
    if not present:
        raise InputError(
            str(images), f"none of the {len(listed)} images of {annotations}",
            f"files such as {listed[0].file_name}",
        )  # fmt: skip
    return SplitSource(recorded, len(listed), sha256_of_file(annotations), digest.hexdigest())


def _completed(content: dict[str, Any]) -> dict[str, Any]:
    """Fills in what pycocotools needs and labelling tools leave out."""
    completed = []
    for number, annotation in enumerate(content["annotations"], start=1):
        box = annotation.get("bbox")
        area = box[2] * box[3] if isinstance(box, list) and len(box) == 4 else 0
        completed.append({"id": number, "iscrowd": 0, "area": area, **annotation})
    return {**content, "annotations": completed}


def _require_same_classes(local: LocalParams, splits: Mapping[str, CocoSplit]) -> None:
    train, val = splits["train"].classes, splits["val"].classes
    if train != val:
        raise InputError(
            f"{local.val_annotations}: categories", [tuple(c) for c in val][:5],
            f"those of {local.train_annotations}: {[tuple(c) for c in train][:5]}",
            "Give both files the same categories with the same ids",
        )  # fmt: skip
