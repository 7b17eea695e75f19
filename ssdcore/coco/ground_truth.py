"""The ground truth that convert checked; all later stages read it, never the user's file."""

import json
from collections.abc import Iterator
from pathlib import Path

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.rows import in_python, separated
from ssdcore.core import layout
from ssdcore.core.files import read_json, replacing


def write_ground_truth(path: Path, split: CocoSplit) -> None:
    """Writes a split as a COCO file, atomically; `read_coco` of it gives the same objects.

    It lists all images, also those that convert skips: their objects count as missed. Boxes that
    are dropped are left out. The others are as listed, not clipped, as COCO's evaluation has it.
    """
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for start, rows in (
            ('{\n"images"', (json.dumps(image.row()) for image in split.images)),
            (',\n"annotations"', _annotations(split)),
            (',\n"categories"', (json.dumps(one._asdict()) for one in split.classes)),
        ):
            file.write(f"{start}: [")
            file.writelines(separated(rows))
            file.write("\n]")
        file.write("\n}\n")


def read_skipped(split: str) -> set[int]:
    """Returns the ids of the images that convert skipped, which the ground truth lists as well."""
    conversion = read_json(layout.conversion(split))
    return {file["image_id"] for file in conversion[split]["skipped_files"]}


def _annotations(split: CocoSplit) -> Iterator[str]:
    truth = split.annotations.ground_truth()
    columns = (split.image_ids[truth.image], truth.label, truth.boxes_xywh_px, truth.areas_px)
    for number, row in enumerate(in_python(*columns, truth.crowd), start=1):
        image_id, label, box, area, crowd = row
        yield json.dumps({
            "id": number, "image_id": image_id, "category_id": split.classes[label - 1].id,
            "bbox": box, "area": area, "iscrowd": int(crowd),
        })  # fmt: skip
