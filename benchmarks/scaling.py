"""What a second process costs and brings: images per second of the train stage, 1 and 2 processes.

With the same batch in all, and with the same batch for each process, on drawn images at the
demo's width. Two processes on the cores of one CPU share what one has to itself: this tells what
meeting, adding up gradients and sharing cost, not what a second device would bring. The table goes
to standard output, the figures to benchmarks/results/scaling.json. About three minutes.
"""

import csv
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.frame import circumstances, parser, table, write_results
from benchmarks.workspace import run_stages, write_params

IMAGES = 160
SKIPPED = 3
"""Steps at the start: the first compiles."""
SETTINGS = ((1, 8), (2, 4), (1, 4), (2, 2))
"""Processes, and images of each in a step."""


def main() -> None:
    arguments = parser(__doc__).parse_args()
    machine = circumstances("mindspore")
    with tempfile.TemporaryDirectory(prefix="scaling-") as temporary:
        folder = Path(temporary)
        configure(folder, 1, 8)
        run_stages(folder, "download", "convert")
        content = {"rows": [measure(folder, *setting) for setting in SETTINGS]}
    print(as_table(content))
    if not arguments.print_only:
        write_results("scaling", content, machine)


def measure(folder: Path, devices: int, batch_size: int) -> dict[str, Any]:
    configure(folder, devices, batch_size)
    run_stages(folder, "train")
    with (folder / "plots/history.csv").open() as file:
        rates = [float(row["images_per_second"]) for row in csv.DictReader(file)][SKIPPED:]
    return {
        "processes": devices,
        "batch_size": batch_size,
        "images_per_second": statistics.median(rates),
        "lowest": min(rates),
        "highest": max(rates),
    }


def configure(folder: Path, devices: int, batch_size: int) -> None:
    changes = {
        "dataset.shapes.train_images": IMAGES,
        "dataset.shapes.val_images": 2,
        "train.epochs": 1,
        "train.batch_size": batch_size,
        "runtime.devices": devices,
        "runtime.workers": 1,
        "tracking.enabled": False,
    }
    write_params(folder, changes)


def as_table(content: dict[str, Any]) -> str:
    """Renders the figures in markdown."""
    return table(
        ["processes", "images a step of each", "of all", "images per second", "lowest, highest"],
        [
            [
                row["processes"],
                row["batch_size"],
                row["processes"] * row["batch_size"],
                f"{row['images_per_second']:.1f}",
                f"{row['lowest']:.1f}, {row['highest']:.1f}",
            ]
            for row in content["rows"]
        ],
    )


if __name__ == "__main__":
    main()
