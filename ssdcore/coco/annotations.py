"""Reads a COCO annotation file once, for training and for evaluation."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.boxes import KEPT, REASONS, UNLISTED, Annotations, Objects, check_boxes
from ssdcore.coco.rows import Row, load_rows, whole_number
from ssdcore.core.errors import InputError

MAX_DESCRIBED = 1000
"""Dropped boxes that are described per reason."""
NO_ANNOTATIONS = check_boxes((), np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)))


class CocoClass(NamedTuple):
    """A category of the annotation file; its label is its index + 1."""

    id: int
    name: str


class CocoImage(NamedTuple):
    """An image of the annotation file, size in pixels.

    A missing file name is empty and a missing size is 0; convert skips such an image.
    """

    id: int
    file_name: str
    height: int
    width: int


class DroppedBox(NamedTuple):
    """A dropped box as the file has it: ids unchanged, or as shortened JSON.

    Attributes:
        reason: one of `ssdcore.coco.boxes.REASONS`.
        file_name: of its image, empty if unknown.
        annotation_id: id of the annotation.
        image_id: id of the image.
        category_id: id of the category.
        bbox: shortened JSON.
    """

    reason: str
    file_name: str
    annotation_id: int | str
    image_id: int | str
    category_id: int | str
    bbox: str


class CocoSplit(NamedTuple):
    """The checked content of an annotation file.

    Attributes:
        classes: ordered by id.
        images: in the file's order.
        objects: ground truth for training by image id; every image has an entry.
        boxes: counts over all boxes: "listed", "kept", "clipped" (kept, but clipped to the
            image) and "crowd" (kept as a crowd region).
        dropped: number of dropped boxes by reason.
        dropped_boxes: the first `MAX_DESCRIBED` of each reason, in the file's order.
        clipped_in: number of clipped boxes by image id; images without any are missing.
        annotations: all boxes as they are listed, for the evaluation.
    """

    classes: tuple[CocoClass, ...]
    images: tuple[CocoImage, ...]
    objects: Mapping[int, Objects]
    boxes: Mapping[str, int]
    dropped: Mapping[str, int]
    dropped_boxes: tuple[DroppedBox, ...] = ()
    clipped_in: Mapping[int, int] = MappingProxyType({})
    annotations: Annotations = NO_ANNOTATIONS

    @property
    def image_ids(self) -> NDArray[np.int64]:
        """The ids (I,) of the images, in the file's order."""
        return np.array([image.id for image in self.images], np.int64)


def read_ground_truth(source: Path | CocoSplit) -> CocoSplit:
    """Returns the split itself, or reads the annotation file at a path."""
    return source if isinstance(source, CocoSplit) else read_coco(source)


def read_coco(path: Path) -> CocoSplit:
    """Reads and checks an annotation file.

    Raises:
        InputError: the file as a whole is unusable: it is missing, not JSON, not a COCO detection
            file, has no categories or no images, or an entry has no unique id.
    """
    content = load_rows(path)
    classes = tuple(
        sorted(CocoClass(_required_id(row, path), _required_name(row, path))
               for row in content["categories"])
    )  # fmt: skip
    images = tuple(_image(row, path) for row in content["images"])
    _require_unique(path, "categories", [c.id for c in classes])
    _require_unique(path, "images", [i.id for i in images])
    return _collect(content["annotations"], classes, images)


def _collect(
    rows: Sequence[Row], classes: tuple[CocoClass, ...], images: tuple[CocoImage, ...]
) -> CocoSplit:
    image_ids = np.array([image.id for image in images], np.int64)
    boxes = check_boxes(
        rows,
        _column(rows, "image_id", {id_: index for index, id_ in enumerate(image_ids.tolist())},
                UNLISTED),
        _column(rows, "category_id", {c.id: label for label, c in enumerate(classes, 1)}, 0),
        np.array([(image.height, image.width) for image in images], float),
    )  # fmt: skip
    kept = boxes.verdict == KEPT
    counts = {
        "listed": len(rows),
        "kept": int(kept.sum()),
        "clipped": int(boxes.clipped.sum()),
        "crowd": int(boxes.crowd[kept].sum()),
    }
    reasons = Counter(REASONS[verdict] for verdict in boxes.verdict[~kept].tolist())
    return CocoSplit(
        classes,
        images,
        dict(zip(image_ids.tolist(), boxes.by_image(len(images)), strict=True)),
        counts,
        dict(sorted(reasons.items())),
        _describe_dropped(rows, boxes, images),
        Counter(image_ids[boxes.image[boxes.clipped]].tolist()),
        boxes,
    )


def _column(
    rows: Sequence[Row], key: str, index_of: Mapping[int, int], unknown: int
) -> NDArray[np.int64]:
    numbers = (whole_number(row.get(key)) for row in rows)
    values = (unknown if number is None else index_of.get(number, unknown) for number in numbers)
    return np.fromiter(values, np.int64, len(rows))


def _describe_dropped(
    rows: Sequence[Row], boxes: Annotations, images: Sequence[CocoImage]
) -> tuple[DroppedBox, ...]:
    first_of_each = [
        np.flatnonzero(boxes.verdict == verdict)[:MAX_DESCRIBED]
        for verdict in range(KEPT + 1, len(REASONS))
    ]
    dropped = []
    for index in np.sort(np.concatenate(first_of_each)).tolist():
        row, image = rows[index], int(boxes.image[index])
        dropped.append(
            DroppedBox(
                REASONS[boxes.verdict[index]],
                "" if image == UNLISTED else images[image].file_name,
                _described_id(row.get("id")),
                _described_id(row.get("image_id")),
                _described_id(row.get("category_id")),
                json.dumps(row.get("bbox"))[:80],
            )
        )
    return tuple(dropped)


def _described_id(id_: object) -> int | str:
    return id_ if isinstance(id_, int) else json.dumps(id_)[:80]


def _image(row: Row, path: Path) -> CocoImage:
    name = row.get("file_name")
    height, width = (max(whole_number(row.get(side)) or 0, 0) for side in ("height", "width"))
    return CocoImage(_required_id(row, path), name if isinstance(name, str) else "", height, width)


def _required_id(row: Row, path: Path) -> int:
    number = whole_number(row.get("id"))
    if number is None:
        raise InputError(f"{path}: id of {json.dumps(row)[:80]}", row.get("id"), "a whole number")
    return number


def _required_name(row: Row, path: Path) -> str:
    name = row.get("name")
    if not isinstance(name, str) or any("\ud800" <= c <= "\udfff" for c in name):
        raise InputError(f"{path}: name of {json.dumps(row)[:80]}", name, "text")
    return name


def _require_unique(path: Path, key: str, ids: Sequence[int]) -> None:
    repeated = [id_ for id_, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(f"{path}: {key}", repeated[:5], "each id once")
