"""Annotations of other formats on their way to a COCO file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore.core.files import write_json
from ssdcore.data.manifest import annotation_file


class Box(NamedTuple):
    """An object: its class's name, and x, y, width and height in pixels."""

    name: str
    xywh_px: tuple[float, float, float, float]


class ImageEntry(NamedTuple):
    """A listed image, sizes in pixels; it need not be there."""

    file_name: str
    height: int
    width: int
    boxes: tuple[Box, ...]


def write_documents(
    folder: Path, splits: Mapping[str, Sequence[ImageEntry]], classes: Sequence[str], about: str
) -> None:
    """Writes a COCO annotation file for each split; ids count on from one to the next.

    Boxes are written as they are, for convert to drop and count.

    Args:
        folder: stands for data/raw.
        splits: the images, in the file's order.
        classes: names; the ids are 1, 2, … in their order.
        about: where the annotations come from.
    """
    id_of = {name: position for position, name in enumerate(classes, start=1)}
    categories = [{"id": id_, "name": name} for name, id_ in id_of.items()]
    image_id = annotation_id = 0
    for split, image_files in splits.items():
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for image in image_files:
            image_id += 1
            size = {"width": image.width, "height": image.height}
            images.append({"id": image_id, "file_name": image.file_name, **size})
            for box in image.boxes:
                annotation_id += 1
                annotations.append({
                    "id": annotation_id, "image_id": image_id, "category_id": id_of[box.name],
                    "bbox": list(box.xywh_px), "area": box.xywh_px[2] * box.xywh_px[3],
                    "iscrowd": 0, "segmentation": [],
                })  # fmt: skip
        content = {"info": {"description": f"{about}: {split}"}, "images": images}
        content |= {"annotations": annotations, "categories": categories}
        write_json(annotation_file(folder, split), content)
