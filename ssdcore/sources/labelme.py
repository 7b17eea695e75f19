"""Reads LabelMe: a JSON file per image with outlines of any kind; boxes are those around them."""

from collections.abc import Mapping, Sequence
from math import dist
from pathlib import PurePosixPath
from typing import Any

from ssdcore.coco.rows import finite_number, whole_number
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, image_names, plain_name
from ssdcore.sources.coco_writer import Box, ImageEntry, box_around, with_size
from ssdcore.sources.pairing import ALONE, Key, Reading, gathered, last_part, pair, read_json, stem


def read_labelme(files: ImageFiles, where: str, _: Sequence[str]) -> Reading:
    """Reads the images of all JSON files, ordered by name.

    Raises:
        InputError: a file is too large, no JSON, or a shape has no label or no points.
    """
    images = image_names(files)
    found, rest = {}, {}
    for name in files.names():
        if name.lower().endswith(".json"):
            labels = _labels(read_json(files, name, where), f"{where}/{name}")
            if labels is None:
                rest[name] = "JSON file that is no LabelMe annotation"
            else:
                found[name] = labels
    levels: list[tuple[Key, Key]] = [
        (stem, stem),
        (str, lambda name: plain_name(f"{PurePosixPath(name).parent}/{found[name].file_name}")),
        (lambda image: PurePosixPath(image).name, lambda name: last_part(found[name].file_name)),
    ]
    image_of = pair(images, list(found), levels)
    entries, file_names = [], {PurePosixPath(image).name for image in images}
    for name, labels in found.items():
        image = image_of.get(name)
        own_name = last_part(labels.file_name)
        if image is None and own_name in file_names:
            rest[name] = ALONE
            continue
        image = image or plain_name(f"{PurePosixPath(name).parent}/{own_name or stem(name).name}")
        entries.append(with_size(files, labels._replace(file_name=image)))
    return gathered(where, images, entries, found.keys() - rest.keys(), rest)


def _labels(content: Any, where: str) -> ImageEntry | None:
    """Returns the content of a file, 0 for a missing side; None if it is of another kind."""
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        return None
    image = content.get("imagePath")
    height, width = (whole_number(content.get(f"image{side}")) or 0 for side in ("Height", "Width"))
    boxes = (
        _box(shape, f"{where}: shapes[{number}]") for number, shape in enumerate(content["shapes"])
    )
    return ImageEntry(image if isinstance(image, str) else "", height, width, tuple(boxes))


def _box(shape: Any, where: str) -> Box:
    shape = shape if isinstance(shape, Mapping) else {}
    label, points = shape.get("label"), shape.get("points")
    if not isinstance(label, str) or not label.strip():
        raise InputError(where, label, "a shape with a label")
    corners = [
        (x, y)
        for point in (points if isinstance(points, list) else [])
        if isinstance(point, list) and len(point) == 2
        and (x := finite_number(point[0])) is not None
        and (y := finite_number(point[1])) is not None
    ]  # fmt: skip
    if not corners or len(corners) != len(points):
        raise InputError(where, points, "points, each with x and y in pixels")
    if shape.get("shape_type") == "circle" and len(corners) == 2:  # centre, point on the line
        (x, y), radius = corners[0], dist(*corners)
        corners = [(x - radius, y - radius), (x + radius, y + radius)]
    return box_around(label.strip(), corners)
