"""Writes COCO annotation files, also of annotations in other formats."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore.coco.rows import Content
from ssdcore.core.files import write_json, write_text
from ssdcore.data.image_files import ImageFiles, header_of
from ssdcore.data.manifest import annotation_file

UNKNOWN_HW = (1, 1)
"""The listed size of an unreadable image; convert skips it with the reason."""


class Box(NamedTuple):
    """An object: the name of its class, and x, y, width and height in pixels.

    A crowd region is ignored in training and evaluation.
    """

    name: str
    xywh_px: tuple[float, float, float, float]
    is_crowd: bool = False


def box_around(name: str, points: Iterable[tuple[float, float]]) -> Box:
    """Returns the box around an outline's points (x, y) in pixels; there is at least one."""
    xs, ys = zip(*points, strict=True)
    return Box(name, (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)))


class ImageEntry(NamedTuple):
    """A listed image, sizes in pixels; its file may be missing."""

    file_name: str
    height: int = 0
    width: int = 0
    boxes: tuple[Box, ...] = ()
    turn_upright: bool = False  # by the EXIF orientation of its file


def with_size(files: ImageFiles, image: ImageEntry) -> ImageEntry:
    """Returns an image; without a listed size, below 1, it gets its file's upright size.

    Tools that write no size draw their boxes on the upright image.
    """
    if min(image.height, image.width) >= 1:
        return image
    header = header_of(files, image.file_name)
    height, width = header.upright_hw if header else UNKNOWN_HW
    turn_upright = header is not None and header.orientation != 1
    return image._replace(height=height, width=width, turn_upright=turn_upright)


def write_coco(
    folder: Path, splits: Mapping[str, Sequence[ImageEntry]], classes: Sequence[str], about: str
) -> None:
    """Writes a COCO annotation file for each split; no two splits share an id.

    Boxes are written unchecked; convert drops and counts the unusable ones. The ids of the classes
    are 1, 2, … in their order; `about` is the origin of the annotations in the description.
    """
    id_of = {name: position for position, name in enumerate(classes, start=1)}
    categories = [{"id": id_, "name": name} for name, id_ in id_of.items()]
    image_id = annotation_id = 0
    for split, entries in splits.items():
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for image in entries:
            image_id += 1
            size = {"width": image.width, "height": image.height}
            turn = {"turn_upright": True} if image.turn_upright else {}
            images.append({"id": image_id, "file_name": image.file_name, **size, **turn})
            for box in image.boxes:
                annotation_id += 1
                annotations.append({
                    "id": annotation_id, "image_id": image_id, "category_id": id_of[box.name],
                    "bbox": list(box.xywh_px), "area": box.xywh_px[2] * box.xywh_px[3],
                    "iscrowd": int(box.is_crowd), "segmentation": [],
                })  # fmt: skip
        content = {"info": {"description": f"{about}: {split}"}, "images": images}
        content |= {"annotations": annotations, "categories": categories}
        write_json(annotation_file(folder, split), content)


def write_contents(folder: Path, contents: Mapping[str, Content]) -> None:
    """Writes the COCO annotation file of each split to the folder that becomes data/raw."""
    for split, content in contents.items():
        write_text(annotation_file(folder, split), json.dumps(content))
