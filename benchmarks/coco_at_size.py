"""What converting a data set of COCO 2017's size takes, with tiny images. Four minutes.

Annotations are as large as the official ones: outlines, addresses and dates included. Images are
32 × 24 pixels, each different, so the figures are those of everything but decoding.
"""

import json
import resource
import tempfile
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import IO, Any

import cv2
import numpy as np

from benchmarks import harness

LIBRARIES = ("mindspore", "numpy", "opencv-python-headless", "pillow")
IMAGES, QUICK_IMAGES = 118_287, 500
BOXES = 860_001
VAL_SHARE = 5_000 / IMAGES
CATEGORIES = [n for n in range(1, 91) if n not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
"""COCO's category ids."""
HEIGHT, WIDTH, BLOCK = 24, 32, 4


def measure(*, quick: bool) -> dict[str, Any]:
    """Writes both splits and converts them in a process of its own."""
    images = QUICK_IMAGES if quick else IMAGES
    boxes, val_images = images * BOXES // IMAGES, round(images * VAL_SHARE)
    with tempfile.TemporaryDirectory(prefix="coco-") as temporary:
        folder = Path(temporary)
        write_split(folder, "train", images, boxes)
        write_split(folder, "val", val_images, boxes // 24)
        splits = {split: {"images": split} for split in ("train", "val")}
        (folder / "data/raw/source.json").write_text(json.dumps({"splits": splits}))
        harness.write_params(folder, {})
        began = perf_counter()
        harness.run_stages(folder, "convert")
        seconds = perf_counter() - began
        peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # at least this process's
        annotations = folder / "data/raw/annotations/instances_train.json"
        return {
            "images": images,
            "boxes": boxes,
            "annotations_mb": round(annotations.stat().st_size / 1e6, 1),
            "seconds": round(seconds, 1),
            "images_per_second": round((images + val_images) / seconds, 1),
            "peak_mib": round(peak_kib / 1024, 1),
        }


def write_split(folder: Path, split: str, images: int, boxes: int) -> None:
    """Writes a split's image files and its annotation file."""
    rng = np.random.default_rng(len(split))
    ids = np.sort(rng.choice(max(581_929, 4 * images), images, replace=False)) + 1
    (folder / split).mkdir()
    for image_id in ids:
        blocks = rng.integers(0, 256, (HEIGHT // BLOCK, WIDTH // BLOCK, 3), np.uint8)
        rgb = blocks.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
        cv2.imwrite(str(folder / split / f"{image_id:012d}.jpg"), rgb)
    path = folder / f"data/raw/annotations/instances_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {}, "licenses": [], "images": [')
        write_rows(file, (image(int(image_id)) for image_id in ids))
        file.write('], "annotations": [')
        write_rows(file, (annotation(number, ids, rng) for number in range(boxes)))
        categories = [{"supercategory": "thing", "id": n, "name": f"thing {n}"} for n in CATEGORIES]
        file.write(f'], "categories": {json.dumps(categories)}}}')


def write_rows(file: IO[str], rows: Iterable[dict[str, Any]]) -> None:
    """Writes rows one by one: this process's memory must stay below that of the measured one."""
    file.writelines(f"{', ' * (n > 0)}{json.dumps(row)}" for n, row in enumerate(rows))


def image(image_id: int) -> dict[str, Any]:
    """Returns an image's record with all fields of the official files."""
    name = f"{image_id:012d}.jpg"
    return {
        "license": 3, "file_name": name, "height": HEIGHT, "width": WIDTH, "id": image_id,
        "coco_url": f"http://images.cocodataset.org/train2017/{name}",
        "date_captured": "2013-11-14 11:18:45",
        "flickr_url": "http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg",
    }  # fmt: skip


def annotation(number: int, ids: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Returns an object's record with an outline of random length; one of 84 is a crowd."""
    x, y = rng.uniform(0, 20), rng.uniform(0, 15)
    w, h = rng.uniform(1, WIDTH - x), rng.uniform(1, HEIGHT - y)
    crowd = number % 84 == 0
    return {
        "segmentation": [(rng.random(2 * rng.integers(5, 42)) * 600).round(2).tolist()],
        "area": round(w * h / 2, 4),
        "iscrowd": int(crowd),
        "image_id": int(ids[rng.integers(len(ids))]),
        "bbox": [round(x, 2), round(y, 2), round(w, 2), round(h, 2)],
        "category_id": CATEGORIES[number % len(CATEGORIES)],
        "id": 900_100_000_000 + number if crowd else 1_000 + number,
    }


def as_table(content: harness.Content) -> str:
    """Returns a table of one row."""
    columns = ("images", "boxes", "annotations_mb", "seconds", "images_per_second", "peak_mib")
    header = ("images", "boxes", "annotations, MB", "s", "images per second", "peak MiB")
    return harness.table(header, [[f"{content[name]:,}" for name in columns]])


if __name__ == "__main__":
    harness.run("coco_at_size", __doc__, measure, as_table, *LIBRARIES)
