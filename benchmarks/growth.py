"""How time and memory grow with the data: each stage on one, four and sixteen times the images.

Draws 100, 400 and 1600 training images and as many for validation, and runs convert, an epoch of
the training loader, train (400 steps, an epoch of the largest data), evaluate and report, each in a
process of its own and with a tiny network, without tracking. About eight minutes on two cores.

Peak memory is the kernel's count for the stage, or for one of its child processes if that is
larger. Growth per image is from the middle size to the largest, so what a stage needs before the
first image does not count.
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks import harness

LIBRARIES = ("mindspore", "numpy", "opencv-python-headless", "pycocotools")
BASE, QUICK_BASE, FACTORS = 100, 8, (1, 4, 16)
VALIDATED = 20
"""Validation images of train and training images of evaluate, whatever the size."""
CHANGES = {
    "model.width": 0.02,
    "train.validate_every": 1000,
    "runtime.workers": 2,
    "tracking.enabled": False,
}


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns, by stage, seconds and peak memory at each size."""
    sizes = [(QUICK_BASE if quick else BASE) * factor for factor in FACTORS]
    rows: dict[str, list[dict[str, float]]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="growth-") as temporary:
            for name, usage in run_all(Path(temporary), size, sizes[-1]).items():
                figures = {key: harness.rounded(value) for key, value in usage._asdict().items()}
                rows.setdefault(name, []).append(figures)
    return {"images": sizes, "stages": rows}


def run_all(folder: Path, size: int, largest: int) -> dict[str, harness.Usage]:
    """Runs all stages on `size` images."""
    training, validation = folder / "training", folder / "validation"
    harness.write_params(training, {**CHANGES, **harness.data_params(None, size, VALIDATED)})
    harness.write_params(training, {"train.epochs": largest // size}, training / "params.yaml")
    harness.write_params(
        validation, {**CHANGES, **harness.data_params(None, VALIDATED, size), "train.epochs": 1}
    )
    harness.run_stages(training, "download")
    found = {
        "convert": harness.measured(training, harness.command("convert")),
        "load an epoch": harness.measured(training, harness.call("benchmarks.growth.load_epoch")),
        f"train {largest // 4} steps": harness.measured(training, harness.command("train")),
    }
    harness.run_stages(validation, "download", "convert", "train")
    return found | {
        "evaluate": harness.measured(validation, harness.command("evaluate")),
        "report": harness.measured(validation, harness.command("report")),
    }


def load_epoch() -> None:
    """Reads an epoch of the training loader, with the working folder's data and parameters."""
    from ssdcore.core import layout
    from ssdcore.data.loader import TrainingLoader
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.geometry.default_boxes import default_boxes
    from ssdcore.params.reader import read_params

    params = read_params(layout.PARAMS)
    train, workers = params.train, params.runtime.workers
    shards = find_shards(layout.mindrecord("train"))
    loader = TrainingLoader(shards, train.batch_size, 1, default_boxes(), train.augment, 1, workers)
    for _ in loader.epoch(1):
        pass


def as_table(content: harness.Content) -> str:
    """Returns a row for each stage."""
    sizes = content["images"]
    rows = []
    for name, usages in content["stages"].items():
        seconds, peaks = ([usage[key] for usage in usages] for key in ("seconds", "peak_mib"))
        more_kib = 1024 * (peaks[-1] - peaks[-2]) / (sizes[-1] - sizes[-2])
        rows.append(
            [name, *(f"{s:.1f}" for s in seconds), *(f"{p:.0f}" for p in peaks), f"{more_kib:.1f}"]
        )
    columns = [f"{unit}, {size} images" for unit in ("s", "MiB") for size in sizes]
    return harness.table(["stage", *columns, "more KiB per image"], rows)


if __name__ == "__main__":
    harness.run("growth", __doc__, measure, as_table, *LIBRARIES)
