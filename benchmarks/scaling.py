"""What a second process costs and brings: images per second of the train stage, 1 and 2 processes.

With the same batch in all, and with the same batch for each process, on drawn pictures at the
demo's width. Two processes on the cores of one CPU share what one has to itself: this tells what
meeting, adding up gradients and sharing cost, not what a second device would bring. The table goes
to standard output, the figures to benchmarks/results/scaling.json. About three minutes.
"""

import csv
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ssdcore.files import write_json

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results/scaling.json"
PICTURES = 160
SKIPPED = 3
"""Steps at the start: the first compiles."""
SETTINGS = ((1, 8), (2, 4), (1, 4), (2, 2))
"""Processes, and pictures of each in a step."""


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory(prefix="scaling-") as temporary:
        folder = Path(temporary)
        prepare(folder)
        print(
            "| processes | pictures a step of each | of all | images per second | lowest, highest |"
        )
        print("|---|---|---|---|---|")
        for devices, batch_size in SETTINGS:
            row = measure(folder, devices, batch_size)
            rows.append(row)
            spread = f"{row['lowest']:.1f}, {row['highest']:.1f}"
            print(
                f"| {devices} | {batch_size} | {devices * batch_size} | "
                f"{row['images_per_second']:.1f} | {spread} |",
                flush=True,
            )
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    write_json(RESULTS, {"machine": machine, "rows": rows})


def prepare(folder: Path) -> None:
    """Draws and converts the pictures."""
    write_params(folder, 1, 8)
    for stage in ("download", "convert"):
        run(folder, stage)


def measure(folder: Path, devices: int, batch_size: int) -> dict[str, Any]:
    write_params(folder, devices, batch_size)
    run(folder, "train")
    with (folder / "plots/history.csv").open() as file:
        rates = [float(row["images_per_second"]) for row in csv.DictReader(file)][SKIPPED:]
    return {
        "processes": devices,
        "batch_size": batch_size,
        "images_per_second": statistics.median(rates),
        "lowest": min(rates),
        "highest": max(rates),
    }


def write_params(folder: Path, devices: int, batch_size: int) -> None:
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["dataset"]["shapes"].update(train_images=PICTURES, val_images=2)
    params["train"].update(epochs=1, batch_size=batch_size)
    params["runtime"].update(devices=devices, workers=1)
    params["tracking"]["enabled"] = False
    yaml.dump(params, folder / "params.yaml")


def run(folder: Path, stage: str) -> None:
    subprocess.run(
        [sys.executable, "-m", f"stages.{stage}"], cwd=folder, check=True, stdout=sys.stderr,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


if __name__ == "__main__":
    main()
