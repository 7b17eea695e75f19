"""Reads a COCO annotation file: every box is kept, clipped or dropped for a counted reason."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssdcore.data.sample import Objects
from ssdcore.errors import InputError
from ssdcore.geometry.boxes import xywh_px_to_yxyx


class CocoClass(NamedTuple):
    """A category of the annotation file; its label is its position + 1."""

    id: int
    name: str


class CocoImage(NamedTuple):
    """An image of the annotation file, sizes in pixels."""

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
    """

    classes: tuple[CocoClass, ...]
    images: tuple[CocoImage, ...]
    objects: Mapping[int, Objects]
    boxes: Mapping[str, int]
    dropped: Mapping[str, int]


def read_coco(path: Path) -> CocoSplit:
    """Reads and checks an annotation file.

    Raises:
        InputError: the file as a whole can't be used: it is missing, no JSON, no COCO detection
            file, has no categories or images, or uses an id twice.
    """
    content = _load(path)
    classes = tuple(
        sorted(CocoClass(_field(c, "id", int, path), _field(c, "name", str, path))
               for c in content["categories"])
    )  # fmt: skip
    images = tuple(
        CocoImage(
            *(_field(i, name, kind, path) for name, kind in CocoImage.__annotations__.items())
        )
        for i in content["images"]
    )
    _require_unique(path, "categories", [c.id for c in classes])
    _require_unique(path, "images", [i.id for i in images])
    for image in images:
        if min(image.height, image.width) < 1:
            place = f"{path}: image {image.id}"
            raise InputError(
                place, (image.height, image.width), "height and width of a pixel or more"
            )
    return _collect(content["annotations"], classes, images)


def _load(path: Path) -> dict[str, list[dict[str, Any]]]:
    remedy = "Export the data set as a COCO detection file (instances_*.json)"
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(str(path), error.strerror, "a readable COCO annotation file") from None
    except ValueError as error:
        raise InputError(str(path), str(error), "whole, valid JSON", remedy) from None
    if not isinstance(content, dict):
        raise InputError(str(path), f"a JSON {type(content).__name__}", "a COCO object", remedy)
    for key in ("images", "annotations", "categories"):
        rows = content.get(key)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InputError(f"{path}: {key}", type(rows).__name__, "a list of objects", remedy)
        if not rows and key != "annotations":
            raise InputError(f"{path}: {key}", rows, "at least one entry", remedy)
    return content


def _field(row: Mapping[str, Any], key: str, kind: type, path: Path) -> Any:
    """Returns a field that the file can't do without."""
    value = row.get(key)
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    place = f"{path}: {key} of {json.dumps(row)[:80]}"
    raise InputError(place, value, {int: "a whole number", str: "text"}[kind])


def _require_unique(path: Path, key: str, ids: Sequence[int]) -> None:
    repeated = [id_ for id_, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(f"{path}: {key}", repeated[:5], "each id once")


def _collect(
    annotations: Sequence[Mapping[str, Any]],
    classes: tuple[CocoClass, ...],
    images: tuple[CocoImage, ...],
) -> CocoSplit:
    """Groups the boxes by image, in the file's order."""
    label_of = {c.id: label for label, c in enumerate(classes, start=1)}
    image_of = {i.id: i for i in images}
    found: dict[int, list[tuple[list[float], int, bool]]] = {i.id: [] for i in images}
    boxes, dropped = Counter(listed=len(annotations), kept=0, clipped=0, crowd=0), Counter[str]()
    for annotation in annotations:
        image = image_of.get(annotation.get("image_id", ""))
        label = label_of.get(annotation.get("category_id", ""))
        if image is None or label is None:
            dropped["unknown image" if image is None else "unknown category"] += 1
            continue
        box, reason = _clipped(annotation.get("bbox"), image)
        if box is None:
            dropped[reason] += 1
            continue
        crowd = bool(annotation.get("iscrowd", 0))
        boxes.update(kept=1, clipped=int(bool(reason)), crowd=int(crowd))
        found[image.id].append((box, label, crowd))
    objects = {i.id: _to_objects(found[i.id], i) for i in images}
    return CocoSplit(classes, images, objects, dict(boxes), dict(sorted(dropped.items())))


def is_box(bbox: Any) -> bool:
    """Says whether an annotation's bbox is what COCO calls one: four finite numbers."""
    return (
        isinstance(bbox, list)
        and len(bbox) == 4
        and all(isinstance(value, int | float) and isfinite(value) for value in bbox)
    )


def _clipped(bbox: Any, image: CocoImage) -> tuple[list[float] | None, str]:
    """Cuts a box (x, y, width, height in pixels) at the image's border.

    Returns:
        The box and "clipped" or "", or None and the reason why there is none.
    """
    if not is_box(bbox):
        return None, "malformed box"
    x, y, w, h = bbox
    if w <= 0 or h <= 0:
        return None, "box without area"
    x1, y1 = max(x, 0.0), max(y, 0.0)
    x2, y2 = min(x + w, float(image.width)), min(y + h, float(image.height))
    if x2 <= x1 or y2 <= y1:
        return None, "box outside the image"
    cut = (x1, y1) != (x, y) or (x2, y2) != (x + w, y + h)
    return [x1, y1, x2 - x1, y2 - y1], "clipped" if cut else ""


def _to_objects(rows: list[tuple[list[float], int, bool]], image: CocoImage) -> Objects:
    boxes_xywh_px = np.array([row[0] for row in rows], np.float64).reshape(-1, 4)
    return Objects(
        xywh_px_to_yxyx(boxes_xywh_px, image.height, image.width),
        np.array([row[1] for row in rows], np.int32),
        np.array([row[2] for row in rows], bool),
    )
