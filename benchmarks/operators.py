"""Which operators a training step spends its time on, by MindSpore's own profiler.

Profiles three steps of the demo's network (params.yaml) and of the full one (presets/coco2017.yaml
at batch 2) on noise of 80 classes. A minute on two cores. Time outside operators is Python, the
transfer of the batch, and waiting.
"""

import csv
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import harness
from benchmarks.our_ssd300 import new_network, training_step
from ssdcore.params.reader import read_params

STEPS, WARM_UP = 3, 2
SETTINGS = {"demo": ("params.yaml", 4), "full": ("presets/coco2017.yaml", 2)}
"""Parameter file and batch size."""
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


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns milliseconds per step, in all and by group of operators, of each network."""
    names = ["demo"] if quick else list(SETTINGS)
    return {"steps": STEPS, "settings": {name: profile(*SETTINGS[name]) for name in names}}


def profile(params_file: str, batch: int) -> dict[str, Any]:
    """Profiles some training steps of a network."""
    from mindspore import Profiler, nn
    from mindspore.profiler import ProfilerActivity, ProfilerLevel

    params = read_params(harness.ROOT / params_file)
    network = new_network(params.model, params.train.loss)
    step = training_step(network, params.train, batch)
    for _ in range(WARM_UP):
        step()
    with tempfile.TemporaryDirectory(prefix="operators-") as folder:
        profiler = Profiler(
            output_path=folder, profiler_level=ProfilerLevel.Level0,
            activities=[ProfilerActivity.CPU], start_profile=True,
        )  # fmt: skip
        began = perf_counter()
        for _ in range(STEPS):
            step()
        took = perf_counter() - began
        profiler.analyse()
        (path,) = Path(folder).rglob("cpu_op_detail_info_*.csv")
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    convolutions = sum(isinstance(cell, nn.Conv2d) for _, cell in network.cells_and_names())
    return {
        "batch": batch,
        "step_ms": harness.rounded(took / STEPS * 1000),
        "operators_ms": {
            name: harness.rounded(t / STEPS) for name, t in by_group(rows, convolutions)
        },
    }


def by_group(rows: Iterable[Mapping[str, str]], convolutions: int) -> list[tuple[str, float]]:
    """Returns the milliseconds of each group, the largest first.

    Args:
        rows: the profiler's cpu_op_detail_info; operators of a type are numbered in the order in
            which they run.
        convolutions: of the network. They all run before the first gradient, so further ones
            compute input gradients (`ssdcore.models.conv`).
    """
    group_of = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
    group_of["Conv2DBackpropInput"] = INPUT_GRADIENT
    times: dict[str, float] = defaultdict(float)
    seen = 0
    for row in sorted(rows, key=lambda row: int(row["op_name"].rpartition("-op")[2])):
        group = group_of.get(row["op_type"], REST)
        if row["op_type"] == "Conv2D":
            group = FORWARD if seen < convolutions else INPUT_GRADIENT
            seen += 1
        times[group] += float(row["op_total_time(ms)"])
    return sorted(times.items(), key=lambda item: -item[1])


def as_table(content: harness.Content) -> str:
    """Returns the groups' shares of the step."""
    rows = []
    for name, figures in content["settings"].items():
        whole, parts = figures["step_ms"], figures["operators_ms"]
        outside = {"outside of operators": whole - sum(parts.values())}
        for part, took in {**parts, **outside, "step": whole}.items():
            rows.append([name, figures["batch"], part, f"{took:.1f}", f"{took / whole:.1%}"])
    return harness.table(["network", "batch", "part", "ms", "share"], rows)


if __name__ == "__main__":
    harness.run("operators", __doc__, measure, as_table, "mindspore")
