"""What operators a training step's time goes into, by MindSpore's own profiler.

`python -m benchmarks.operators` profiles three steps of the demo's network (params.yaml) and of
the full one (presets/coco2017.yaml at batch 2) on noise of 80 classes, and writes
benchmarks/results/operators.json. A minute on two cores. What is outside of the operators is
Python, the hand-over of the batch, and waiting.
"""

import csv
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.frame import ROOT, circumstances, parser, rounded, table, write_results
from benchmarks.peers import example

STEPS = 3
FIRST_STEPS = 2
RATE = 1e-4
NUM_FOREGROUND = 80
SETTINGS = {"demo": ("params.yaml", 4), "full": ("presets/coco2017.yaml", 2)}
"""Parameter file and batch size, which is that of the file for the demo."""
GROUPS = {
    "convolution, weight gradient": ("Conv2DBackpropFilter",),
    "pooling": ("MaxPool", "MaxPoolWithArgmax"),
    "pooling, gradient": ("MaxPoolGrad", "MaxPoolGradWithArgmax"),
    "batch norm": ("BatchNorm", "BatchNormGrad"),
    "bias and ReLU": ("BiasAdd", "BiasAddGrad", "ReLU", "ReluGrad"),
    "optimiser's update": ("Adam", "ApplyMomentum"),
}
FORWARD, INPUT_GRADIENT = "convolution, forward", "convolution, input gradient"
REST = "loss, norm, clipping, the rest"


def main() -> None:
    arguments = parser(__doc__).parse_args()
    os.environ.setdefault("GLOG_v", "3")
    machine = circumstances("mindspore")
    content = {"steps": STEPS, "settings": {name: measure(*at) for name, at in SETTINGS.items()}}
    print(as_table(content))
    if not arguments.print_only:
        write_results("operators", content, machine)


def measure(params_file: str, batch: int) -> dict[str, Any]:
    """Returns milliseconds a step: of the step, and of the operators by group."""
    import numpy as np
    from mindspore import Profiler, nn
    from mindspore.profiler import ProfilerActivity, ProfilerLevel

    from ssdcore.data.loader import TrainingBatch
    from ssdcore.models.checkpoint import build_network
    from ssdcore.models.device import configure, seed_all
    from ssdcore.models.losses import DetectionLoss, make_class_loss
    from ssdcore.params.reader import read_params
    from ssdcore.training.optimizer import Update, make_loss_scaler, make_optimizer
    from ssdcore.training.step import TrainingStep

    params = read_params(ROOT / params_file)
    train = params.train
    configure("CPU")
    seed_all(1)
    network = build_network(params.model, NUM_FOREGROUND, train.loss)
    optimizer = make_optimizer(
        train.optimizer, network.trainable_params(), np.full(100, RATE, np.float32),
        train.momentum, train.weight_decay,
    )  # fmt: skip
    update = Update(optimizer, make_loss_scaler(train.loss_scale), train.clip_norm)
    step = TrainingStep(
        network, DetectionLoss(make_class_loss(train.loss, train.min_negatives)), update
    )
    batches = [TrainingBatch(np.arange(batch), **example(batch))]
    for _ in range(FIRST_STEPS):
        step(batches)
    with tempfile.TemporaryDirectory(prefix="operators-") as folder:
        profiler = Profiler(
            output_path=folder, profiler_level=ProfilerLevel.Level0,
            activities=[ProfilerActivity.CPU], start_profile=True,
        )  # fmt: skip
        began = perf_counter()
        for _ in range(STEPS):
            step(batches)
        took = perf_counter() - began
        profiler.analyse()
        (path,) = Path(folder).rglob("cpu_op_detail_info_*.csv")
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    convolutions = sum(isinstance(cell, nn.Conv2d) for _, cell in network.cells_and_names())
    return {
        "batch": batch,
        "step_ms": rounded(took / STEPS * 1000),
        "operators_ms": {name: rounded(t / STEPS) for name, t in by_group(rows, convolutions)},
    }


def by_group(rows: Iterable[Mapping[str, str]], convolutions: int) -> list[tuple[str, float]]:
    """Returns the milliseconds of each group, the largest first.

    Args:
        rows: of the profiler's cpu_op_detail_info; operators of a type are numbered in the order
            in which they run.
        convolutions: in the network. All of them run before the first gradient does, so that
            further ones compute input gradients (`ssdcore.models.conv`).
    """
    group_of = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
    group_of["Conv2DBackpropInput"] = INPUT_GRADIENT
    numbered = sorted(rows, key=lambda row: int(row["op_name"].rpartition("-op")[2]))
    times: Counter[str] = Counter()
    seen = 0
    for row in numbered:
        group = group_of.get(row["op_type"], REST)
        if row["op_type"] == "Conv2D":
            group = FORWARD if seen < convolutions else INPUT_GRADIENT
            seen += 1
        times[group] += float(row["op_total_time(ms)"])
    return times.most_common()


def as_table(content: Mapping[str, Any]) -> str:
    """Returns the shares of the step as markdown."""
    rows = []
    for name, figures in content["settings"].items():
        whole, parts = figures["step_ms"], figures["operators_ms"]
        outside = {"outside of operators": whole - sum(parts.values())}
        for part, took in {**parts, **outside, "step": whole}.items():
            rows.append([name, figures["batch"], part, f"{took:.1f}", f"{took / whole:.1%}"])
    return table(["network", "batch", "part", "ms", "share"], rows)


if __name__ == "__main__":
    main()
