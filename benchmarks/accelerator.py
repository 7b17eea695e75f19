"""Whether the device that MindSpore finds computes what the CPU does, and how fast.

Compares an inference and a training step with the CPU's, then measures images per second, memory,
the time of compilation, the share of waiting for data, and several devices where there are some.
Each part runs in a process of its own and prints its result at once; one that fails is named with
its remedy, and the others go on. Without an accelerator, the CPU is compared with itself, on small
sizes. Three minutes on two cores.
"""

import csv
import json
import resource
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks import harness
from ssdcore.doctor.device import BATCH, HALF, check_device, run_on

BATCHES, CPU_BATCHES = (8, 32, 64), (8,)
STEPS, CPU_STEPS = 20, 5
SKIPPED = 10
"""Steps at the start of the stage. On an accelerator, the compilation counts in the first ten."""
DRAWN_IMAGES = 480  # for each process
PROFILED = 20
COUNT = "import mindspore, sys; print(mindspore.hal.device_count(sys.argv[1]))"
SPEED = "import sys; from benchmarks.accelerator import print_speed; print_speed(*sys.argv[1:])"
SMALLER = "Take a smaller train.batch_size"
ONE_DEVICE = "Leave runtime.devices at 1; .ssd/logs has the log of each process"

Row = dict[str, Any]


def measure(*, quick: bool) -> dict[str, Any]:
    """Runs all parts and returns a row for each."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="accelerator-") as temporary:
        folder = Path(temporary)
        params = folder / "params.yaml"
        harness.write_params(folder, {"tracking.enabled": False, "runtime.device": "auto"})
        for finding in check_device(params, "auto"):
            print(finding, flush=True)
            failed = f"failed: {finding.text}. {finding.remedy}"
            result = failed if finding.is_error else finding.text
            rows.append({"what": finding.subject, "result": result})
        if len(rows) == 1:  # the device computes nothing
            return {"device": "no device", "rows": rows}
        device = rows[0]["result"].partition(";")[0]
        for settings in _settings(device, quick):
            rows.append(_measured(_name(**settings), partial(_speed, device, params, **settings)))
        one = partial(_trained, folder / "one", device, 1)
        rows.append(_measured("stage train, processes: 1", one))
        if device != "CPU":
            several = partial(_several, folder / "all", device)
            rows.append(_measured("stage train, all devices", several, ONE_DEVICE))
    return {"device": device, "rows": rows}


def _measured(what: str, part: Callable[[], str], remedy: str = SMALLER) -> Row:
    """Returns a part's row, with its result or its failure; prints it."""
    try:
        result = part()
    except (Exception, SystemExit) as error:  # any failure is a row, and the other parts go on
        result = f"failed: {error}. {remedy}"
    print(f"{what}; {result}", flush=True)
    return {"what": what, "result": result}


def _settings(device: str, quick: bool) -> Iterator[dict[str, Any]]:
    """Yields what to time: each kind, precision, width and batch."""
    on_cpu = device == "CPU"
    for width in (0.0,) if on_cpu else (0.0, 1.0):
        for batch in BATCHES[:1] if quick else CPU_BATCHES if on_cpu else BATCHES:
            for kind, amp in (("training", "O0"), ("training", HALF), ("inference", "O0")):
                if not (on_cpu and amp == HALF):
                    yield {"kind": kind, "amp": amp, "batch": batch, "width": width}


def _name(kind: str, amp: str, batch: int, width: float) -> str:
    network = "full network" if width else "demo's network"
    return f"{kind}, {amp}, {network}, batch {batch}"


def _speed(device: str, params: Path, kind: str, amp: str, batch: int, width: float) -> str:
    printed = run_on(device, SPEED, device, str(params), kind, amp, str(batch), str(width))
    return printed.splitlines()[-1]


def print_speed(device: Any, params_file: str, kind: str, amp: str, batch: str, width: str) -> None:
    """Prints images per second, memory and the time of compilation.

    Args:
        device: as in `runtime.device`.
        params_file: describes the network.
        kind: "training" or "inference".
        amp: precision of the training.
        batch: number of images.
        width: of the network; 0 is that of the parameters.
    """
    import mindspore

    from ssdcore.doctor.device_step import example, make_network, make_step
    from ssdcore.inference.detector import Detector
    from ssdcore.models.device import configure
    from ssdcore.models.metadata import ModelMetadata
    from ssdcore.params.reader import read_params

    configure(device)
    params, images = read_params(Path(params_file)), int(batch)
    model = params.model
    if float(width):
        model = model.model_copy(update={"width": float(width)})
    network, noise = make_network(model, params.train), example(images, model)
    work: Callable[[], Any]
    if kind == "training":
        work = partial(make_step(network, params.train, amp), [noise])
    else:
        detector = Detector(network, ModelMetadata(model, (), params.train.loss, 0), images)
        work = partial(detector.answers, noise.images)
    steps = CPU_STEPS if device == "CPU" else STEPS
    first, *times = harness.take_turns({"it": work}, steps + 1, warm_up=0)["it"]
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device != "CPU":
        used = mindspore.runtime.max_memory_allocated()
    print(
        f"{images / median(times):.1f} images/s, {used / 1e9:.1f} GB, "
        f"compiled in {first - median(times):.0f} s"
    )


def _trained(folder: Path, device: str, devices: int) -> str:
    """Runs the stage train for an epoch on drawn images."""
    began = perf_counter()
    changes = {
        **harness.data_params(None, DRAWN_IMAGES * devices, 2),
        "train.epochs": 1,
        "train.profile": PROFILED if devices == 1 else 0,
        "runtime.device": device,
        "runtime.devices": devices,
        "tracking.enabled": False,
    }
    harness.write_params(folder, changes)
    harness.run_stages(folder, "download", "convert", "train")
    with (folder / "plots/history.csv").open(newline="") as file:
        rates = [float(row["images_per_second"]) for row in csv.DictReader(file)]
    result = f"{median(rates[SKIPPED:]):.1f} images/s"
    if devices == 1:
        (path,) = (folder / ".ssd/train").glob("*/profile.json")
        profile = json.loads(path.read_text())
        result += f", {profile['share']['data']:.1%} of a step waits for data"
    return f"{result}; {perf_counter() - began:.0f} s in all"


def _several(folder: Path, device: str) -> str:
    """Trains on all devices, if there are several."""
    count = int(run_on(device, COUNT, device).splitlines()[-1])
    return f"{count} devices, {_trained(folder, device, count)}" if count > 1 else "there is one"


def as_table(content: harness.Content) -> str:
    """Returns a row for each part."""
    rows = [list(row.values()) for row in content["rows"]]
    heading = f"{content['device']}; steps of {BATCH} images are compared."
    return f"{heading}\n\n{harness.table(['What', 'Result'], rows)}"


if __name__ == "__main__":
    harness.run("accelerator", __doc__, measure, as_table, "mindspore")
