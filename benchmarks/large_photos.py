"""How fast the loader reads photos of 12 megapixels, as they are and under `convert.max_side`.

The photos are drawn images, enlarged and with noise. One worker; OpenCV has one thread of its own,
as in the stages. One minute.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import harness
from ssdcore.coco.annotations import read_coco

ROUNDS, PHOTOS, QUICK_PHOTOS = 5, 16, 4
WIDTH, HEIGHT, NOISE = 4000, 3000, 6
"""Of a photo, in pixels, and the deviation of its noise in levels."""
BATCH = 4
MAX_SIDES = {"whole photos": None, "convert.max_side 1024": 1024}


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns images per second of both, and their ratio."""
    from ssdcore.data.convert import convert_split
    from ssdcore.sources.shapes import write_shapes

    cv2.setNumThreads(1)
    number, rng = QUICK_PHOTOS if quick else PHOTOS, np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="photos-") as temporary:
        folder = Path(temporary)
        write_shapes(folder, seed=1, train_images=number, val_images=1)
        split = read_coco(folder / "annotations/instances_train.json")
        for image in split.images:
            path = str(folder / "train" / image.file_name)
            large = cv2.resize(cv2.imread(path), (WIDTH, HEIGHT))
            noisy = large + rng.normal(0, NOISE, large.shape)
            cv2.imwrite(path, np.clip(noisy, 0, 255).astype(np.uint8))
        sizes = (one._replace(height=HEIGHT, width=WIDTH) for one in split.images)
        split = split._replace(images=tuple(sizes))
        contenders = {}
        for name, most in MAX_SIDES.items():
            shards = folder / str(most) / "train.mindrecord"
            convert_split(split, folder / "train", shards, 1, max_side=most)
            contenders[name] = _epoch(shards)
        seconds = harness.take_turns(contenders, 1 if quick else ROUNDS)
    whole, scaled = MAX_SIDES
    speeds = {name: [number / took for took in each] for name, each in seconds.items()}
    return {
        "images_per_second": {name: harness.summary(each) for name, each in speeds.items()},
        "ratio": harness.summary(harness.ratios(seconds[whole], seconds[scaled])),
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
