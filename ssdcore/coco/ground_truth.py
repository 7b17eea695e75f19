"""The ground truth that convert checked; all later stages read it, never the user's file."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ssdcore.coco.annotations import CocoSplit
from ssdcore.core import layout
from ssdcore.core.files import replacing

ROWS_AT_ONCE = 1 << 14
"""Rows that are converted to Python objects at once; bounds the memory."""
ROW_JSON = (
    '{"id": %d, "image_id": %d, "category_id": %d, "bbox": [%r, %r, %r, %r], "area": %r, '
    '"iscrowd": %d}'
)
"""A float's JSON is its `repr`."""


def write_ground_truth(path: Path, split: CocoSplit) -> None:
    """Writes a split as a COCO file, atomically; `read_coco` of it gives the same objects.

    It lists all images, also those that convert skips: their objects count as missed. Boxes that
    are dropped are left out. The others are as listed, not clipped, as COCO's evaluation has it.
    """
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for start, rows in (
            ('{\n"images"', (json.dumps(image._asdict()) for image in split.images)),
            (',\n"annotations"', _annotations(split)),
            (',\n"categories"', (json.dumps(one._asdict()) for one in split.classes)),
        ):
            file.write(f"{start}: [")
            file.writelines(_separated(rows))
            file.write("\n]")
        file.write("\n}\n")


def read_skipped(split: str) -> set[int]:
    """Returns the ids of the images that convert skipped, which the ground truth lists as well."""
    conversion = json.loads(layout.conversion(split).read_text(encoding="utf-8"))
    return {file["image_id"] for file in conversion[split]["skipped_files"]}


def _separated(rows: Iterable[str]) -> Iterator[str]:
    before = "\n"
    for row in rows:
        yield before + row
        before = ",\n"


def _annotations(split: CocoSplit) -> Iterator[str]:
    truth = split.annotations.ground_truth()
    image_ids = split.image_ids[truth.image]
    for start in range(0, len(image_ids), ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        for number, (image_id, label, box, area, crowd) in enumerate(
            zip(
                image_ids[some].tolist(),
                truth.label[some].tolist(),
                truth.boxes_xywh_px[some].tolist(),
                truth.areas_px[some].tolist(),
                truth.crowd[some].tolist(),
                strict=True,
            ),
            start=start + 1,
        ):
            category_id = split.classes[label - 1].id
            yield ROW_JSON % (number, image_id, category_id, *box, area, crowd)
