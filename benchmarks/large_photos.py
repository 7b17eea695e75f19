"""How fast the loader reads photos of 12 megapixels, as they are and under `convert.max_side`.

The photos are drawn images, enlarged and with noise. One worker; OpenCV has one thread of its own,
as in the stages. One minute.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from benchmarks import harness
from benchmarks.photos import write_photo
from ssdcore.coco.annotations import read_coco

ROUNDS, PHOTOS, QUICK_PHOTOS = 5, 16, 4
SIDE = 4000
BATCH = 4
MAX_SIDES = {"whole photos": None, "convert.max_side 1024": 1024}


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns images per second of both, and their ratio."""
    from ssdcore.data.convert import convert_split

    cv2.setNumThreads(1)
    number = QUICK_PHOTOS if quick else PHOTOS
    with tempfile.TemporaryDirectory(prefix="photos-") as temporary:
        folder = harness.drawn(Path(temporary), number, 1)
        photos = folder / "images/train"
        split = read_coco(folder / "annotations/instances_train.json")
        large = []
        for image in split.images:
            path = photos / image.file_name
            height, width = write_photo(path, path, SIDE)
            large.append(image._replace(height=height, width=width))
        split = split._replace(images=tuple(large))
        contenders = {}
        for name, most in MAX_SIDES.items():
            shards = folder / str(most) / "train.mindrecord"
            convert_split(split, photos, shards, 1, max_side=most)
            contenders[name] = _epoch(shards)
        seconds = harness.take_turns(contenders, 1 if quick else ROUNDS)
    whole, scaled = seconds.values()
    speeds = {name: [number / took for took in each] for name, each in seconds.items()}
    return {
        "images_per_second": {name: harness.summary(each) for name, each in speeds.items()},
        "ratio": harness.summary(harness.ratios(whole, scaled)),
    }


def _epoch(shards: Path) -> Callable[[], int]:
    """Returns what reads an epoch and returns its number of steps."""
    from ssdcore.data.loader import TrainingLoader
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.geometry.default_boxes import default_boxes
    from ssdcore.params.schema import AugmentParams

    augment = AugmentParams(**dict.fromkeys(AugmentParams.model_fields, 0.0) | {"crop": 1.0})
    loader = TrainingLoader(find_shards(shards), BATCH, 1, default_boxes(), augment, 1, 1)
    return lambda: sum(1 for _ in loader.epoch(1))


def as_table(content: harness.Content) -> str:
    """Returns a row for each, and the ratio."""
    rows = [[name, *harness.spread(row, 1)] for name, row in content["images_per_second"].items()]
    rows.append([" / ".join(reversed(MAX_SIDES)), *harness.spread(content["ratio"], 1)])
    header = ["images per second, 12 megapixels", "median", "lowest to highest"]
    return harness.table(header, rows)


if __name__ == "__main__":
    harness.run("large_photos", __doc__, measure, as_table, "mindspore", "opencv-python-headless")
