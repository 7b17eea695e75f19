"""How time and memory grow with the data: each stage at once, four times and sixteen times as much.

`python -m benchmarks.growth` draws 100, 400 and 1600 training images and as many for validation,
and runs convert, an epoch of the training loader, train (400 steps, an epoch of the largest),
evaluate and report, each in a process of its own and with a tiny network, untracked. `detections`
is what follows the network, on drawn outputs of COCO's classes, analysis included. The table goes
to standard output, the figures to benchmarks/results/growth.json. About nine minutes on two cores.

Peak memory is the kernel's count: of the stage, or of a process that it started if one held more.
Growth by an image is from the middle size to the largest: what a stage takes before the first
image does not count.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.frame import circumstances, parser, rounded, table, write_results
from benchmarks.workspace import Usage, command, measured, run_stages, write_params

BASE, FACTORS = 100, (1, 4, 16)
VALIDATED = 20
"""Images that train validates on, whatever the data."""
CHANGES = {
    "model.width": 0.02,
    "train.validate_every": 1000,
    "runtime.workers": 2,
    "tracking.enabled": False,
}


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--base", type=int, default=BASE, help="images of the smallest data")
    own.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    arguments = own.parse_args()
    if arguments.load:
        load_epoch()
        return
    machine = circumstances("mindspore", "numpy", "opencv-python-headless", "pycocotools")
    sizes = [arguments.base * factor for factor in FACTORS]
    content = {"images": sizes, "stages": measure(sizes)}
    print(as_table(content))
    if not arguments.print_only:
        write_results("growth", content, machine)


def measure(sizes: list[int]) -> dict[str, list[dict[str, float]]]:
    """Returns, by stage, what each size takes."""
    rows: dict[str, list[dict[str, float]]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="growth-") as temporary:
            for name, usage in take(Path(temporary), size, sizes[-1]).items():
                rows.setdefault(name, []).append(
                    {name: rounded(value) for name, value in usage._asdict().items()}
                )
    return rows


def take(folder: Path, size: int, largest: int) -> dict[str, Usage]:
    """Runs all stages on `size` images."""
    training, validation = folder / "training", folder / "validation"
    epochs = largest // size
    draw(training, size, VALIDATED, epochs)
    draw(validation, VALIDATED, size, 1)
    module = [sys.executable, "-m"]
    found = {
        "convert": measured(training, command("convert")),
        "load an epoch": measured(training, [*module, "benchmarks.growth", "--load"]),
        f"train {largest // 4} steps": measured(training, command("train")),
    }
    run_stages(validation, "convert", "train")
    outputs = [*module, "benchmarks.whole_evaluation", str(size)]
    return found | {
        "evaluate": measured(validation, command("evaluate")),
        "report": measured(validation, command("report")),
        "detections": measured(folder, outputs),
    }


def draw(folder: Path, train: int, val: int, epochs: int) -> None:
    changes = {"dataset.shapes.train_images": train, "dataset.shapes.val_images": val}
    write_params(folder, {**CHANGES, **changes, "train.epochs": epochs})
    run_stages(folder, "download")


def load_epoch() -> None:
    """Reads an epoch of the training loader in this process and folder."""
    from ssdcore.core import layout
    from ssdcore.data.loader import TrainingLoader
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.geometry.default_boxes import default_boxes
    from ssdcore.params.reader import read_params

    params = read_params(layout.PARAMS)
    loader = TrainingLoader(
        find_shards(layout.mindrecord("train")),
        params.train.batch_size,
        params.train.accumulate,
        default_boxes(),
        params.train.augment,
        params.runtime.seed,
        params.runtime.workers,
    )
    for _ in loader.epoch(1):
        pass


def as_table(content: dict[str, Any]) -> str:
    """Renders the figures in markdown."""
    sizes = content["images"]
    header = ["stage", *(f"s, {size} images" for size in sizes)]
    header += [f"MiB, {size} images" for size in sizes] + ["more KiB an image"]
    rows = []
    for name, usages in content["stages"].items():
        peaks = [usage["peak_mib"] for usage in usages]
        more_kib = 1024 * (peaks[-1] - peaks[-2]) / (sizes[-1] - sizes[-2])
        seconds = [f"{usage['seconds']:.1f}" for usage in usages]
        rows.append([name, *seconds, *(f"{peak:.0f}" for peak in peaks), f"{more_kib:.1f}"])
    return table(header, rows)


if __name__ == "__main__":
    main()
