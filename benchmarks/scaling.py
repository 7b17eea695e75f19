"""What a second process costs and brings: images per second of train with 1 and 2 processes.

Compared at the same batch in all and at the same batch for each process, on drawn images and at the
demo's width. Two processes share the cores that one process has to itself, so this shows the cost
of synchronisation and of adding gradients, not the gain of a second device. About three minutes.
"""

import csv
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import harness

IMAGES, QUICK_IMAGES = 160, 48
SKIPPED = 3
"""Steps at the start, which include compilation."""
SETTINGS = ((1, 8), (2, 4), (1, 4), (2, 2))
"""Processes, and images of each process in a step."""


def measure(*, quick: bool) -> dict[str, Any]:
    """Trains an epoch in each setting."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="scaling-") as temporary:
        folder = Path(temporary)
        for devices, batch_size in SETTINGS:
            changes = {
                **harness.data_params(None, QUICK_IMAGES if quick else IMAGES, 2),
                "train.epochs": 1,
                "train.batch_size": batch_size,
                "runtime.devices": devices,
                "runtime.workers": 1,
                "tracking.enabled": False,
            }
            harness.write_params(folder, changes)
            harness.run_stages(folder, *([] if rows else ["download", "convert"]), "train")
            rates = [float(row["images_per_second"]) for row in history(folder)][SKIPPED:]
            figures = {"images_per_second": median(rates), "lowest": min(rates)}
            setting = {"processes": devices, "batch_size": batch_size}
            rows.append(setting | figures | {"highest": max(rates)})
    return {"rows": rows}


def history(folder: Path) -> list[dict[str, str]]:
    """Returns the rows of plots/history.csv, one for each training step."""
    with (folder / "plots/history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def as_table(content: harness.Content) -> str:
    """Returns a row for each setting."""
    header = ["processes", "images a step of each", "of all", "images per second"]
    rows: list[list[Any]] = []
    for row in content["rows"]:
        images = [row["batch_size"], row["processes"] * row["batch_size"]]
        rates = [f"{row[key]:.1f}" for key in ("images_per_second", "lowest", "highest")]
        rows.append([row["processes"], *images, rates[0], ", ".join(rates[1:])])
    return harness.table([*header, "lowest, highest"], rows)


if __name__ == "__main__":
    harness.run("scaling", __doc__, measure, as_table, "mindspore")
