"""How fast pictures are converted and loaded, beside the disk and a loader like the tutorial's.

`python -m benchmarks.data --data FOLDER` measures a folder in COCO's layout
(annotations/instances_train.json, images/train), without it 300 drawn pictures. The things
compared take turns, so that a change of the machine's load meets all of them; a ratio is that of
two neighbours in time. That the two loaders do the same work is checked by what they crop and
match: where the distributions differ, the exit status is 1.
`--images 118287` measures instead what converting COCO's size takes, with tiny pictures.
The table goes to standard output, the figures to benchmarks/results/data.json.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.coco_at_size import measure

RESULTS = Path(__file__).parent / "results/data.json"
LIBRARIES = ("mindspore", "numpy", "opencv-python-headless", "pillow")
ROUNDS = 5
DRAWN = 300
CROPS = 3000
BATCH = 4
COLOUR = 0.4
COPY, CONVERT, LOADER, TUTORIAL = "copying the files", "convert", "loader", "tutorial's loader"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a folder in COCO's layout; drawn if left out")
    parser.add_argument("--images", type=int, help="measure converting so many tiny pictures")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measurements of each figure")
    arguments = parser.parse_args()
    os.environ.setdefault("GLOG_v", "3")
    began, load = time.strftime("%F %T"), os.getloadavg()[0]
    if arguments.images:
        key, figures = "coco_at_size", measure(arguments.images)
        print("\n".join(f"{name}: {value}" for name, value in figures.items()))
    else:
        key, figures = "speed", measure_speed(arguments.data, arguments.rounds)
    machine = {
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "began": began,
    }
    content = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    content[key] = {**figures, "machine": machine}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(content, indent=2) + "\n")
    if not figures.get("crops_agree", True):
        raise SystemExit("The loaders differ in what they crop or match: the ratio says nothing")


def measure_speed(data: Path | None, rounds: int) -> dict[str, Any]:
    from benchmarks.distributions import agree, as_table, compare

    with tempfile.TemporaryDirectory(prefix="data-") as temporary:
        folder = Path(temporary)
        images, annotations = draw(folder) if data is None else layout_of(data)
        contenders = {
            **conversion(images, annotations, folder / "out"),
            **loaders(images, annotations, folder / "shards"),
        }
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds + 1):  # the first warms up
            for name, run in contenders.items():
                began = time.perf_counter()
                count = run()
                rates[name].append(count / (time.perf_counter() - began))
        crops = compare(samples_of(annotations), CROPS, seed=1)
    rates = {name: values[1:] for name, values in rates.items()}
    rows = {name: summary(values) for name, values in rates.items()}
    ratios = {name: summary(values) for name, values in ratios_of(rates).items()}
    for title, lines, digits in (("images per second", rows, 0), ("ratio", ratios, 2)):
        print(f"| {title} | median | lowest | highest |\n|---|---|---|---|")
        for name, row in lines.items():
            print(f"| {name} |", " | ".join(f"{row[key]:.{digits}f}" for key in row), "|")
        print()
    print(as_table(crops))
    name = data.name if data else f"{DRAWN} drawn pictures"
    return {
        "data": name,
        "images_per_second": rows,
        "ratios": ratios,
        "crops": crops,
        "crops_agree": agree(crops),
    }


def ratios_of(rates: dict[str, list[float]]) -> dict[str, list[float]]:
    """Returns the ratio of each pair in each round."""
    pairs = [(CONVERT, COPY)]
    pairs += [(f"{LOADER}, {n}", f"{TUTORIAL}, {n}") for n in map(workers_in_words, (1, 2))]
    return {
        f"{a} / {b.partition(',')[0]}": [x / y for x, y in zip(rates[a], rates[b], strict=True)]
        for a, b in pairs
    }


def samples_of(annotations: Path) -> list[Any]:
    """Returns the sizes and objects of the first pictures, enough for `CROPS`."""
    from benchmarks.distributions import blank
    from ssdcore.data.coco import read_coco

    split = read_coco(annotations)
    return [blank(i.height, i.width, split.objects[i.id]) for i in split.images[:CROPS]]


def draw(folder: Path) -> tuple[Path, Path]:
    from ssdcore.data.shapes import write_shapes

    write_shapes(folder, seed=1, train_images=DRAWN, val_images=1)
    return folder / "train", folder / "annotations/instances_train.json"


def layout_of(data: Path) -> tuple[Path, Path]:
    return data / "images/train", data / "annotations/instances_train.json"


def conversion(images: Path, annotations: Path, out: Path) -> dict[str, Callable[[], int]]:
    """Copying the files and converting them."""
    from ssdcore.data.coco import read_coco
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
    """An epoch of each loader with 1 and 2 workers; the iterator's start counts."""
    from benchmarks.reference_loader import reference_batches
    from ssdcore.data.augment import Strengths
    from ssdcore.data.coco import read_coco
    from ssdcore.data.convert import convert_split
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.geometry.default_boxes import default_boxes
    from ssdcore.nn.loader import TrainingLoader

    convert_split(read_coco(annotations), images, out / "train.mindrecord", shards=1)
    shards = find_shards(out / "train.mindrecord")
    strengths = Strengths(crop=1.0, flip=0.5, brightness=COLOUR, contrast=COLOUR, saturation=COLOUR)

    def ours(workers: int) -> Callable[[], int]:
        loader = TrainingLoader(shards, BATCH, 1, default_boxes(), strengths, 1, workers)
        return lambda: sum(len(batch.images) for step in loader.epoch(1) for batch in step)

    def reference(workers: int) -> Callable[[], int]:
        return lambda: sum(len(batch[0]) for batch in reference_batches(shards, BATCH, workers))

    makers = {LOADER: ours, TUTORIAL: reference}
    return {
        f"{name}, {workers_in_words(workers)}": make(workers)
        for workers in (1, 2)
        for name, make in makers.items()
    }


def workers_in_words(number: int) -> str:
    return f"{number} worker{'s' * (number > 1)}"


def summary(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 2),
        "lowest": round(min(values), 2),
        "highest": round(max(values), 2),
    }


if __name__ == "__main__":
    main()
