"""What a training's time goes into: computing, waiting for data, tracking, validation, the rest.

Trains the demo's network for 200 steps on drawn images, with the validation and the tracking of
params.yaml and an MLflow store of its own. With --data it takes a folder in COCO's layout and the
augmentation of presets/custom.yaml instead. About two minutes each on two cores.

Targets: less than 3% of the time for waiting for data, less than 2% for tracking.
"""

import json
import math
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks import harness, timed_stage
from benchmarks.timed_stage import DATA, OTHER, STEP

LIBRARIES = ("mindspore", "mlflow")
TRAINED, VALIDATED = 160, 100
"""Images drawn for training and for validation."""
STEPS, QUICK_STEPS = 200, 20
PARTS = {
    "starting": "Python, imports, the device, opening the data, building the network",
    "compiling": "the first step's time beyond that of the median step",
    STEP: "the compiled step: losses, gradients, weights; images to it, losses from it",
    DATA: "until the next step's images are ready",
    timed_stage.VALIDATION: "the validation split through the network, COCO's metrics",
    timed_stage.CHECKPOINTS: "best and last checkpoint, history, the state for resuming",
    timed_stage.TRACKING: "values and images: drawing, logging, waiting for the upload at the end",
    OTHER: "the loop itself, log, signals",
}


def measure(*, quick: bool, data: Path | None) -> dict[str, Any]:
    """Trains once; returns the last results with this run added."""
    machine = harness.circumstances(*LIBRARIES)
    steps = QUICK_STEPS if quick else STEPS
    with tempfile.TemporaryDirectory(prefix="shares-") as temporary:
        folder = Path(temporary)
        changes = harness.data_params(data, TRAINED, VALIDATED)
        if data:
            custom = YAML(typ="safe").load(harness.ROOT / "presets/custom.yaml")["train"]["augment"]
            changes |= {f"train.augment.{name}": value for name, value in custom.items()}
        harness.write_params(folder, changes)
        harness.run_stages(folder, "download", "convert")
        set_epochs(folder, steps)
        (folder / ".git").mkdir()  # marks the repository that tracking keeps its files in
        store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "GLOG_v": "3"}
        figures = shares(timed_stage.run(folder, "train", harness.environment() | store))
    path = harness.RESULTS / "shares.json"
    last = json.loads(path.read_text())["runs"] if path.exists() else {}
    name = data.name if data else "the demo's drawn images"
    return {"runs": last | {name: {**figures, "machine": machine}}}


def set_epochs(folder: Path, steps: int) -> None:
    """Sets the smallest number of epochs with at least `steps` steps."""
    params = YAML(typ="safe").load(folder / "params.yaml")
    conversion = json.loads((folder / "data/mindrecord/conversion.json").read_text())
    steps_an_epoch = conversion["train"]["images"]["kept"] // params["train"]["batch_size"]
    epochs = math.ceil(steps / steps_an_epoch)
    harness.write_params(folder, {"train.epochs": epochs}, folder / "params.yaml")


def shares(times: dict[str, Any]) -> dict[str, Any]:
    """Returns seconds and shares by part from the times that `timed_stage.run` returns."""
    seconds, before_data = times["parts"], times["before_data"]
    median_s = statistics.median(times["steps"])
    compiling = max(0.0, times["steps"][0] - median_s)
    imports = seconds.pop(timed_stage.IMPORTS)
    parts = {
        **dict.fromkeys(PARTS, 0.0),
        **seconds,
        "starting": times["python"] + imports + before_data[OTHER],
        "compiling": compiling,
        STEP: seconds[STEP] - compiling,
        OTHER: seconds[OTHER] - before_data[OTHER],
    }
    whole = sum(parts.values())
    return {
        "steps": len(times["steps"]),
        "seconds_a_step": harness.rounded(median_s),
        "seconds": {name: harness.rounded(value) for name, value in parts.items()},
        "shares": {name: harness.rounded(value / whole) for name, value in parts.items()},
        "whole_s": harness.rounded(whole),
        "tracking_process_cpu_s": harness.rounded(times["children_cpu"]),
    }


def as_table(content: harness.Content) -> str:
    """Returns a column for each run."""
    runs: dict[str, Any] = content["runs"]

    def row(title: str, cell: Callable[[dict[str, Any]], object]) -> list[object]:
        return [title, *map(cell, runs.values())]

    def part(name: str) -> Callable[[dict[str, Any]], str]:
        return lambda run: f"{run['seconds'][name]:.2f} s, {run['shares'][name]:.1%}"

    return harness.table(
        ["part", *runs],
        [
            *(row(f"{name}: {meaning}", part(name)) for name, meaning in PARTS.items()),
            row("whole", lambda run: f"{run['whole_s']:.1f} s"),
            row("steps", lambda run: f"{run['steps']} of {run['seconds_a_step']:.3f} s"),
            row(
                "processor time of the process that uploads to MLflow",
                lambda run: f"{run['tracking_process_cpu_s']:.1f} s",
            ),
            row("commit", lambda run: run["machine"]["commit"]),
            row("load before", lambda run: run["machine"]["load_before"]),
        ],
    )


if __name__ == "__main__":
    harness.run("shares", __doc__, measure, as_table, *LIBRARIES, options={"--data": harness.DATA})
