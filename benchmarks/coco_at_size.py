"""What converting a data set of COCO 2017's size and shape takes, with tiny images.

Annotations are as large as the official ones: outlines, addresses and dates included. Images
are 32 × 24 pixels, each different, so that the figures are those of everything but decoding.
The table goes to standard output, the figures to benchmarks/results/coco_at_size.json.
Four minutes.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.frame import circumstances, parser, table, write_results
from benchmarks.workspace import command, measured, write_params

IMAGES = 118_287
BOXES = 860_001
VAL_IMAGES = 5_000
CATEGORIES = [n for n in range(1, 91) if n not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
HEIGHT, WIDTH = 24, 32


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--images", type=int, default=IMAGES)
    arguments = own.parse_args()
    machine = circumstances("mindspore", "numpy", "opencv-python-headless", "pillow")
    content = measure(arguments.images)
    print(as_table(content))
    if not arguments.print_only:
        write_results("coco_at_size", content, machine)


def as_table(content: dict[str, Any]) -> str:
    columns = ("images", "boxes", "annotations_mb", "seconds", "images_per_second", "peak_mib")
    cells = [f"{content[name]:,}" for name in columns]
    return table([name.replace("_", " ") for name in columns], [cells])


def measure(images: int) -> dict[str, Any]:
    """Writes a train split of `images` and converts it in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="coco-") as temporary:
        folder = Path(temporary)
        boxes = images * BOXES // IMAGES
        write_split(folder, "train", images, boxes)
        write_split(folder, "val", max(1, images * VAL_IMAGES // IMAGES), boxes // 24)
        splits = {split: {"images": split} for split in ("train", "val")}
        (folder / "data/raw/source.json").write_text(json.dumps({"splits": splits}))
        write_params(folder, {})
        usage = measured(folder, command("convert"))
        annotations = folder / "data/raw/annotations/instances_train.json"
        return {
            "images": images,
            "boxes": boxes,
            "annotations_mb": round(annotations.stat().st_size / 1e6, 1),
            "seconds": round(usage.seconds, 1),
            "images_per_second": round(images * (1 + VAL_IMAGES / IMAGES) / usage.seconds, 1),
            "peak_mib": round(usage.peak_mib, 1),
        }


def write_split(folder: Path, split: str, images: int, boxes: int) -> None:
    rng = np.random.default_rng(len(split))
    ids = np.sort(rng.choice(max(581_929, 4 * images), images, replace=False)) + 1
    (folder / split).mkdir()
    for number, image_id in enumerate(ids):
        (folder / split / name_of(image_id)).write_bytes(image_file(number))
    path = folder / f"data/raw/annotations/instances_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {}, "licenses": [], "images": [')
        file.writelines(joined(image(int(image_id)) for image_id in ids))
        file.write('], "annotations": [')
        file.writelines(joined(annotation(n, ids, rng) for n in range(boxes)))
        categories = [{"supercategory": "thing", "id": n, "name": f"thing {n}"} for n in CATEGORIES]
        file.write(f'], "categories": {json.dumps(categories)}}}')


def joined(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield f"{', ' if number else ''}{json.dumps(row)}"


def name_of(image_id: int) -> str:
    return f"{image_id:012d}.jpg"


def image_file(number: int) -> bytes:
    """A JPEG of a flat colour and a few marks, which spell its number."""
    rgb = np.full((HEIGHT, WIDTH, 3), (number % 200, number // 200 % 200, 99), np.uint8)
    for bit in range(20):
        rgb[bit // 5 * 6 : bit // 5 * 6 + 6, bit % 5 * 6 : bit % 5 * 6 + 6, 2] = number >> bit & 1
    return cv2.imencode(".jpg", rgb)[1].tobytes()


def image(image_id: int) -> dict[str, Any]:
    return {
        "license": 3,
        "file_name": name_of(image_id),
        "coco_url": f"http://images.cocodataset.org/train2017/{name_of(image_id)}",
        "height": HEIGHT,
        "width": WIDTH,
        "date_captured": "2013-11-14 11:18:45",
        "flickr_url": "http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg",
        "id": image_id,
    }


def annotation(number: int, ids: Any, rng: np.random.Generator) -> dict[str, Any]:
    x, y = rng.uniform(0, 20), rng.uniform(0, 15)
    w, h = rng.uniform(1, WIDTH - x), rng.uniform(1, HEIGHT - y)
    outline = (rng.random(2 * rng.integers(5, 42)) * 600).round(2).tolist()
    return {
        "segmentation": [outline],
        "area": round(w * h / 2, 4),
        "iscrowd": int(number % 84 == 0),
        "image_id": int(ids[rng.integers(len(ids))]),
        "bbox": [round(x, 2), round(y, 2), round(w, 2), round(h, 2)],
        "category_id": CATEGORIES[number % len(CATEGORIES)],
        "id": 900_100_000_000 + number if number % 84 == 0 else 1_000 + number,
    }


if __name__ == "__main__":
    main()
