"""Whether the full SSD300 trains on this machine, and what a step costs.

Trains the network of params.yaml at width 1.0 for 60 steps of two images, drawn ones or those of
--data. About five minutes on two cores.
"""

import json
import os
import tempfile
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks import harness
from benchmarks.scaling import history

STEPS, QUICK_STEPS, GROUP = 60, 4, 10
"""Steps, and steps to a row of the table."""
BATCH = 2
CHANGES = {
    "model.width": 1.0,
    "train.batch_size": BATCH,
    "train.epochs": 1,
    "train.warmup_epochs": 0.2,
    "train.optimizer": "adam",
    "train.lr_init": 1e-5,
    "train.lr_max": 1e-4,
    "train.lr_end": 1e-4,
    "tracking.enabled": False,
}
"""A rate at which 34 million untrained weights do not diverge in the first steps."""


def measure(*, quick: bool, data: Path | None) -> dict[str, Any]:
    """Runs the train stage and returns losses, seconds and peak memory."""
    steps = QUICK_STEPS if quick else STEPS
    with tempfile.TemporaryDirectory(prefix="full-") as temporary:
        folder = Path(temporary)
        harness.write_params(folder, {**CHANGES, **harness.data_params(data, steps * BATCH, 2)})
        harness.run_stages(folder, "download", "convert")
        usage = harness.measured(folder, harness.command("train"))
        rows = [{k: float(v) for k, v in row.items() if v} for row in history(folder)][:steps]
        made = folder / "data/mindrecord"
        images = json.loads((made / "conversion.json").read_text())["train"]["images"]["kept"]
        classes = json.loads((made / "classes.json").read_text())
        values = count_values(folder / "model/last.ckpt")
    first, *seconds = [BATCH / row["images_per_second"] for row in rows]
    return {
        "data": f"{images} images, {len(classes)} classes",
        "batch_size": BATCH,
        "values": values,
        "first_step_s": first,
        "seconds_a_step": median(seconds),
        "fastest_s": min(seconds),
        "slowest_s": max(seconds),
        "peak_gb": usage.peak_mib * 2**20 / 1e9,
        "losses": [means(rows[start : start + GROUP]) for start in range(0, len(rows), GROUP)],
    }


def count_values(checkpoint: Path) -> int:
    """Returns how many values of a checkpoint's network are trained."""
    os.environ.setdefault("GLOG_v", "3")
    from ssdcore.models.checkpoint import load

    network, _ = load(checkpoint)
    return sum(parameter.size for parameter in network.trainable_params())


def means(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Returns the mean losses of some steps."""
    keys = {"loss": "loss", "box": "loss_box", "class": "loss_class"}
    losses = {name: fmean(row[key] for row in rows) for name, key in keys.items()}
    return {"steps": f"{rows[0]['step']:.0f}-{rows[-1]['step']:.0f}", **losses}


def as_table(content: harness.Content) -> str:
    """Returns a table of the losses and a line with the rest."""
    parts = ("loss", "box", "class")
    losses = [[row["steps"], *(f"{row[key]:.3f}" for key in parts)] for row in content["losses"]]
    return (
        f"{harness.table(['steps', 'mean loss', 'box', 'class'], losses)}\n\n"
        f"{content['seconds_a_step']:.2f} s a step of {content['batch_size']} (median; "
        f"{content['fastest_s']:.2f} to {content['slowest_s']:.2f}), compiled in "
        f"{content['first_step_s']:.0f} s, peak memory {content['peak_gb']:.1f} GB, "
        f"{content['values']:,} trainable values; {content['data']}"
    )


if __name__ == "__main__":
    harness.run("full_network", __doc__, measure, as_table, "mindspore", takes_data=True)
