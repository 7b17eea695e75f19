"""Fills data/raw from the source that the parameters name."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ssdcore.coco.annotations import CocoClass, CocoSplit, read_coco
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_file, write_json
from ssdcore.data.manifest import Place, SplitSource, annotation_file, describe
from ssdcore.params.dataset import DatasetParams
from ssdcore.sources import bccd, coco2017, local, shapes
from ssdcore.sources.selection import select


def fetch(dataset: DatasetParams, folder: Path) -> dict[str, SplitSource]:
    """Fills `folder` with the data set's annotation files, images and source.json.

    Images of the user's own and large archives stay where they are; `image_folder` finds them.

    Raises:
        InputError: the data set is not to be had, or the user's files are not usable.
    """
    places = _places(dataset, folder)
    read, splits = {}, {}
    for split, place in places.items():
        annotations = annotation_file(folder, split)
        if dataset.classes is not None or dataset.limit is not None:
            select(annotations, dataset.classes, dataset.limit, place.annotations)
        read[split] = read_coco(annotations)
        splits[split] = describe(read[split], sha256_of_file(annotations), place)
    _require_same_classes(places, read)
    record = {name: split._asdict() for name, split in splits.items()}
    write_json(folder / layout.SOURCE.name, {"name": dataset.name, "splits": record})
    return splits


def _places(dataset: DatasetParams, folder: Path) -> dict[str, Place]:
    """Lets the source write its annotation files to `folder`."""
    match dataset.name:
        case "shapes":
            return shapes.fetch(dataset.shapes, folder)
        case "bccd":
            return bccd.fetch(dataset.bccd, folder)
        case "coco2017":
            return coco2017.fetch(dataset.coco2017, folder)
        case "tutorial":
            # it needs MindSpore, whose import takes seconds
            from ssdcore.sources import tutorial

            return tutorial.fetch(dataset.tutorial, folder)
        case "local":
            return local.fetch(dataset.local, folder)


def _require_same_classes(places: Mapping[str, Place], splits: Mapping[str, CocoSplit]) -> None:
    train, val = splits["train"].classes, splits["val"].classes
    if train != val:
        more, fewer = ([c for c in a if c not in b] for a, b in ((val, train), (train, val)))
        raise InputError(
            f"{places['val'].annotations}: categories",
            f"{_in_words(more)} more, {_in_words(fewer)} missing",
            f"those of {places['train'].annotations}",
            "Give both files the same categories with the same ids",
        )  # fmt: skip


def _in_words(classes: Sequence[CocoClass]) -> str:
    named = ", ".join(f"{c.id} {c.name}" for c in classes[:5])
    return f"{len(classes)} ({named}{', …' if len(classes) > 5 else ''})" if classes else "none"
