"""A small split: grey images of 80 × 60 pixels, each with one object of 40 × 20 at (10, 30)."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import CocoResults
from ssdcore.report.split_images import SplitImages
from tests.coco_files import box, write_coco

BOX = (10, 30, 40, 20)


def write_split(folder: Path, count: int, skipped: Collection[str] = ()) -> SplitImages:
    """Writes 1.png, 2.png, … whose ids are their numbers."""
    numbers = range(1, count + 1)
    images = [{"id": n, "file_name": f"{n}.png"} for n in numbers]
    write_coco(folder / "a.json", images, [box(n, 7, BOX) for n in numbers], [(7, "cat")])
    for n in numbers:
        cv2.imwrite(str(folder / f"{n}.png"), np.full((60, 80, 3), 128, np.uint8))
    return SplitImages(read_coco(folder / "a.json"), folder, skipped)


def row(image: int, score: float = 0.9, bbox: Collection[float] = BOX) -> dict[str, Any]:
    return {"image_id": image, "category_id": 7, "bbox": list(bbox), "score": score}


def table(*rows: dict[str, Any]) -> CocoResults:
    return CocoResults.from_rows(rows)
