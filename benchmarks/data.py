"""How fast images are converted and loaded, beside the disk and a loader like the tutorial's.

`python -m benchmarks.data --data FOLDER` measures a folder in COCO's layout
(annotations/instances_train.json, images/train), without it 300 drawn images. OpenCV has one
thread of its own, as in the stages. That the two loaders do the same work is checked by what they
crop and match: where the distributions differ, the exit status is 1.
The table goes to standard output, the figures to benchmarks/results/data.json. One minute.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from benchmarks import distributions
from benchmarks.frame import (
    circumstances,
    parser,
    ratios,
    spread,
    summary,
    table,
    take_turns,
    write_results,
)
from benchmarks.images import training_images

LIBRARIES = ("mindspore", "numpy", "opencv-python-headless", "pillow")
ROUNDS = 5
DRAWN = 300
CROPS = 3000
BATCH = 4
COLOUR = 0.4
COPY, CONVERT = "copying the files", "convert"
LOADER, KEEPING, TUTORIAL = "loader", "loader that keeps images", "tutorial's loader"
CACHE = 10**9
"""Bytes, for all images."""


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--data", type=Path, help="a folder in COCO's layout; drawn if left out")
    own.add_argument("--rounds", type=int, default=ROUNDS, help="measurements of each figure")
    arguments = own.parse_args()
    os.environ.setdefault("GLOG_v", "3")
    cv2.setNumThreads(1)
    machine = circumstances(*LIBRARIES)
    content = measure(arguments.data, arguments.rounds)
    print(as_table(content))
    if not arguments.print_only:
        write_results("data", content, machine)
    if not content["crops_agree"]:
        raise SystemExit("The loaders differ in what they crop or match: the ratio says nothing")


def measure(data: Path | None, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="data-") as temporary:
        folder = Path(temporary)
        images, annotations = training_images(data, folder, DRAWN)
        contenders = {
            **conversion(images, annotations, folder / "out"),
            **loaders(images, annotations, folder / "shards"),
        }
        seconds = take_turns(contenders, rounds)
        samples = samples_of(annotations)
        crops = distributions.compare(samples, CROPS, seed=1)
    pairs = [(CONVERT, COPY)]
    pairs += [
        (f"{ours}, {n}", f"{TUTORIAL}, {n}")
        for ours in (LOADER, KEEPING)
        for n in map(workers_in_words, (1, 2))
    ]
    return {
        "data": data.name if data else f"{DRAWN} drawn images",
        "images_per_second": {
            name: summary([len(samples) / took for took in each]) for name, each in seconds.items()
        },
        "ratios": {
            f"{a} / {b.partition(',')[0]}": summary(ratios(seconds[b], seconds[a]))
            for a, b in pairs
        },
        "crops": crops,
        "crops_agree": distributions.agree(crops),
    }


def as_table(content: dict[str, Any]) -> str:
    parts = [
        table(
            [f"{title}, {content['data']}", "median", "lowest to highest"],
            [[name, *spread(row, digits)] for name, row in content[key].items()],
        )
        for title, key, digits in (
            ("images per second", "images_per_second", 0), ("ratio", "ratios", 2)
        )
    ]  # fmt: skip
    return "\n\n".join([*parts, distributions.as_table(content["crops"])])


def samples_of(annotations: Path) -> list[Any]:
    """Returns the sizes and objects of all images."""
    from ssdcore.coco.annotations import read_coco

    split = read_coco(annotations)
    return [distributions.blank(i.height, i.width, split.objects[i.id]) for i in split.images]


def conversion(images: Path, annotations: Path, out: Path) -> dict[str, Callable[[], int]]:
    """Copying the files and converting them."""
    from ssdcore.coco.annotations import read_coco
    from ssdcore.data.convert import convert_split

    split = read_coco(annotations)

    def copy() -> int:
        shutil.rmtree(out, ignore_errors=True)
        for image in split.images:
            target = out / image.file_name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(images / image.file_name, target)
        return len(split.images)

    def convert() -> int:
        shutil.rmtree(out, ignore_errors=True)
        convert_split(read_coco(annotations), images, out / "train.mindrecord", shards=1)
        return len(split.images)

    return {COPY: copy, CONVERT: convert}


def loaders(images: Path, annotations: Path, out: Path) -> dict[str, Callable[[], int]]:
    """An epoch of each loader with 1 and 2 workers; the iterator's start counts.

    What keeps images, `runtime.cache_mb`, has them from the round that warms up.
    """
    from benchmarks.reference_loader import reference_batches
    from ssdcore.coco.annotations import read_coco
    from ssdcore.data.convert import convert_split
    from ssdcore.data.loader import TrainingLoader
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.geometry.default_boxes import default_boxes
    from ssdcore.params.schema import AugmentParams
    from ssdcore.training.distributed.group import ALONE

    convert_split(read_coco(annotations), images, out / "train.mindrecord", shards=1)
    shards = find_shards(out / "train.mindrecord")
    strengths = AugmentParams(
        crop=1.0, zoom_out=0.0, flip=0.5, brightness=COLOUR, contrast=COLOUR, saturation=COLOUR,
        hue=0.0,
    )  # fmt: skip

    def ours(workers: int, cache: int = 0) -> Callable[[], int]:
        loader = TrainingLoader(
            shards, BATCH, 1, default_boxes(), strengths, 1, workers, ALONE, cache
        )
        return lambda: sum(len(batch.images) for step in loader.epoch(1) for batch in step)

    def reference(workers: int) -> Callable[[], int]:
        return lambda: sum(len(batch[0]) for batch in reference_batches(shards, BATCH, workers))

    def keeping(workers: int) -> Callable[[], int]:
        return ours(workers, CACHE)

    makers = {LOADER: ours, KEEPING: keeping, TUTORIAL: reference}
    return {
        f"{name}, {workers_in_words(workers)}": make(workers)
        for workers in (1, 2)
        for name, make in makers.items()
    }


def workers_in_words(number: int) -> str:
    return f"{number} worker{'s' * (number > 1)}"


if __name__ == "__main__":
    main()
