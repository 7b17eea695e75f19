"""Whether the full SSD300 trains here, and what a step of it costs.

`python -m benchmarks.full_network --data FOLDER` takes the images of a folder in COCO's layout
(annotations/instances_train.json, images/train), without it drawn ones, and trains the network of
params.yaml at width 1.0 for 60 steps of two images. The table goes to standard output, the
figures to benchmarks/results/full_network.json. About five minutes on two cores.
"""

import os
import resource
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT, circumstances, parser, table, write_results
from benchmarks.images import training_images

STEPS = 60
GROUP = 10
DRAWN = 130
CHANGES = {
    "batch_size": 2, "accumulate": 1, "epochs": 1, "warmup_epochs": 0.2,
    "lr_init": 1e-5, "lr_max": 1e-4, "lr_end": 1e-4,
}  # fmt: skip
"""Of the section train; a rate that a network of 26 million weights bears from its first steps."""


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--data", type=Path, help="a folder in COCO's layout; drawn if left out")
    own.add_argument("--steps", type=int, default=STEPS)
    arguments = own.parse_args()
    os.environ.setdefault("GLOG_v", "3")
    machine = circumstances("mindspore")
    with tempfile.TemporaryDirectory(prefix="full-") as temporary:
        figures = measure(arguments.data, Path(temporary), arguments.steps)
    print(as_table(figures))
    if not arguments.print_only:
        write_results("full_network", figures, machine)


def as_table(figures: dict[str, Any]) -> str:
    """Renders the figures in markdown."""
    losses = table(
        ["steps", "mean loss", "box", "class"],
        [
            [row["steps"], *(f"{row[part]:.3f}" for part in ("loss", "box", "class"))]
            for row in figures["losses"]
        ],
    )
    return (
        f"{losses}\n\n{figures['seconds_a_step']:.2f} s a step of {figures['batch_size']} "
        f"(median; {figures['fastest_s']:.2f} to {figures['slowest_s']:.2f}), compiled in "
        f"{figures['first_step_s']:.0f} s, peak memory {figures['peak_gb']:.1f} GB, "
        f"{figures['values']:,} trainable values; {figures['data']}"
    )


def measure(data: Path | None, folder: Path, steps: int) -> dict[str, Any]:
    from ssdcore.coco.annotations import read_coco
    from ssdcore.core.signals import Signals
    from ssdcore.data.convert import convert_split
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.models.device import configure, seed_all
    from ssdcore.params.reader import read_params
    from ssdcore.training.loop import train as train_network
    from ssdcore.training.reports import StepReport
    from ssdcore.training.setup import prepare_training

    images, annotations = training_images(data, folder, DRAWN)
    params = read_params(ROOT / "params.yaml")
    device = configure(params.runtime.device)
    seed_all(params.runtime.seed)
    split = read_coco(annotations)
    convert_split(split, images, folder / "train.mindrecord", shards=1)
    model = params.model.model_copy(update={"width": 1.0})
    train = params.train.model_copy(update=CHANGES)
    shards = find_shards(folder / "train.mindrecord")
    training = prepare_training(model, train, params.runtime, split.classes, shards)
    reports: list[StepReport] = []
    with Signals() as signals:
        for report in train_network(training, train, lambda: {"AP": 0.0, "AP50": 0.0}, signals):
            if isinstance(report, StepReport):
                reports.append(report)
            if len(reports) == steps:
                break
    seconds = [r.computing_s for r in reports[1:]]
    return {
        "data": f"{len(split.images)} images, {len(split.classes)} classes",
        "device": device,
        "batch_size": train.batch_size,
        "values": sum(p.size for p in training.step.parameters),
        "first_step_s": reports[0].computing_s,
        "seconds_a_step": statistics.median(seconds),
        "fastest_s": min(seconds),
        "slowest_s": max(seconds),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "losses": [averages(reports[at : at + GROUP]) for at in range(0, len(reports), GROUP)],
    }


def averages(reports: list[Any]) -> dict[str, Any]:
    parts = {"loss": "loss", "box": "loss_box", "class": "loss_class"}
    means = {
        name: statistics.fmean(getattr(r, key) for r in reports) for name, key in parts.items()
    }
    return {"steps": f"{reports[0].step}-{reports[-1].step}", **means}


if __name__ == "__main__":
    main()
