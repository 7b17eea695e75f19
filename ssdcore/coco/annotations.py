"""Reads a COCO annotation file: every box is kept, clipped or dropped for a counted reason."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ssdcore.coco.boxes import (
    KEPT,
    NOWHERE,
    REASONS,
    DroppedBox,
    Objects,
    describe_dropped,
    read_boxes,
)
from ssdcore.coco.boxes import is_box as is_box
from ssdcore.coco.rows import Row, load_rows, whole_number
from ssdcore.core.errors import InputError

MOST_DESCRIBED = 1000
"""Dropped boxes described for each reason; a file with more of a kind has one fault, not many."""


class CocoClass(NamedTuple):
    """A category of the annotation file; its label is its position + 1."""

    id: int
    name: str


class CocoImage(NamedTuple):
    """An image of the annotation file, sizes in pixels.

    What its entry lacks is an empty name or a size of 0; convert leaves such an image out.
    """

    id: int
    file_name: str
    height: int
    width: int


class CocoSplit(NamedTuple):
    """An annotation file, checked.

    Attributes:
        classes: in the order of their ids.
        images: in the file's order.
        objects: by image id; every image has an entry.
        boxes: counts over all boxes: "listed", "kept", "clipped" (kept, but cut at the
            image's border) and "crowd" (kept as a crowd region).
        dropped: boxes left out, by reason.
        dropped_boxes: the first `MOST_DESCRIBED` of each reason, in the file's order.
        clipped_in: by image id, how many boxes were clipped; images without any are missing.
    """

    classes: tuple[CocoClass, ...]
    images: tuple[CocoImage, ...]
    objects: Mapping[int, Objects]
    boxes: Mapping[str, int]
    dropped: Mapping[str, int]
    dropped_boxes: tuple[DroppedBox, ...] = ()
    clipped_in: Mapping[int, int] = MappingProxyType({})


def read_coco(path: Path) -> CocoSplit:
    """Reads and checks an annotation file.

    Raises:
        InputError: the file as a whole can't be used: it is missing, no JSON, no COCO detection
            file, has no categories or images, or an entry without an id of its own.
    """
    content = load_rows(path)
    classes = tuple(
        sorted(CocoClass(_whole(row, "id", path), _text(row, "name", path))
               for row in content["categories"])
    )  # fmt: skip
    images = tuple(_image(row, path) for row in content["images"])
    _require_unique(path, "categories", [c.id for c in classes])
    _require_unique(path, "images", [i.id for i in images])
    return _collect(content["annotations"], classes, images)


def _image(row: Row, path: Path) -> CocoImage:
    name = row.get("file_name")
    height, width = (max(whole_number(row.get(side)) or 0, 0) for side in ("height", "width"))
    return CocoImage(
        _whole(row, "id", path), name if isinstance(name, str) else "", height, width
    )  # fmt: skip


def _whole(row: Row, key: str, path: Path) -> int:
    number = whole_number(row.get(key))
    if number is None:
        raise InputError(_place(row, key, path), row.get(key), "a whole number")
    return number


def _text(row: Row, key: str, path: Path) -> str:
    value = row.get(key)
    if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
        raise InputError(_place(row, key, path), value, "text")
    return value


def _place(row: Row, key: str, path: Path) -> str:
    return f"{path}: {key} of {json.dumps(row)[:80]}"


def _require_unique(path: Path, key: str, ids: Sequence[int]) -> None:
    repeated = [id_ for id_, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(f"{path}: {key}", repeated[:5], "each id once")


def _collect(
    rows: Sequence[Row], classes: tuple[CocoClass, ...], images: tuple[CocoImage, ...]
) -> CocoSplit:
    label_of = {c.id: label for label, c in enumerate(classes, start=1)}
    table = read_boxes(rows, label_of, {i.id: (i.height, i.width) for i in images})
    kept = table.verdict == KEPT
    counts = {
        "listed": len(rows),
        "kept": int(kept.sum()),
        "clipped": int(table.clipped.sum()),
        "crowd": int(table.crowd[kept].sum()),
    }
    dropped, examples = {}, []
    for verdict, reason in REASONS.items():
        places = np.flatnonzero(table.verdict == verdict)
        if len(places):
            dropped[reason] = len(places)
            examples += places[:MOST_DESCRIBED].tolist()
    described = []
    for place in sorted(examples):
        image = int(table.image[place])
        file_name = "" if image == NOWHERE else images[image].file_name
        described.append(describe_dropped(rows[place], int(table.verdict[place]), file_name))
    objects = {i.id: found for i, found in zip(images, table.by_image(len(images)), strict=True)}
    clipped = Counter(images[place].id for place in table.image[table.clipped].tolist())
    return CocoSplit(
        classes, images, objects, counts, dict(sorted(dropped.items())), tuple(described), clipped
    )
