"""What a training's time goes into: computing, waiting for data, tracking, validation, the rest.

`python -m benchmarks.shares` trains the demo's network for 200 steps on drawn images, with the
validation and the tracking of params.yaml, into an MLflow store of its own. `--data FOLDER` takes a
folder in COCO's layout instead, and varies its images as presets/custom.yaml does. The train
stage runs unchanged in a process of its own whose functions are timed from outside. The table goes
to standard output, the figures to benchmarks/results/shares.json. About two minutes each.

Waiting for data is to stay below 3% of the time and tracking below 2%.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.frame import RESULTS, ROOT, circumstances, parser, rounded, table, write_results
from benchmarks.images import in_coco_layout
from benchmarks.stopwatch import OTHER, TRACKING, Stopwatch, watch_tracking
from benchmarks.workspace import environment, run_stages, write_params

STEPS = 200
DRAWN = 160
VALIDATED = 100
"""Images drawn for training and for validation."""
QUIET = {"GLOG_v": "3"}
KEPT = ("resume", "save", "clear")
PARTS = {
    "starting": "Python, imports, the device, opening the data, building the network",
    "compiling": "what the first step takes longer than the median one",
    "computing": "the compiled step: losses, gradients, weights; images to it, losses from it",
    "waiting for data": "until the next step's images are there",
    "validation": "the validation split through the network, COCO's figures",
    "checkpoints": "best and last checkpoint, history, the state to go on from",
    TRACKING: "noting values and images, drawing those, waiting for the delivery at the end",
    "other": "the loop itself, log, signals",
}


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--data", type=Path, help="a folder in COCO's layout; drawn if left out")
    own.add_argument("--steps", type=int, default=STEPS)
    own.add_argument("--width", type=float, help="of the network; as in params.yaml if left out")
    own.add_argument("--measure", type=float, metavar="STARTED", help=argparse.SUPPRESS)
    arguments = own.parse_args()
    if arguments.measure:
        print(json.dumps(train_here(arguments.measure)))
        return
    machine = circumstances("mindspore", "mlflow")
    figures = {**measure(arguments.data, arguments.steps, arguments.width), "machine": machine}
    name = arguments.data.name if arguments.data else "the demo's drawn images"
    if arguments.width is not None:
        name += f", width {arguments.width:g}"
    path = RESULTS / "shares.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    runs = before.get("runs", {}) | {name: figures}
    print(as_table({"runs": {name: figures}}))
    if not arguments.print_only:
        write_results("shares", {"runs": runs}, machine)


def measure(data: Path | None, steps: int, width: float | None) -> dict[str, Any]:
    """Makes the data, trains once, and returns the shares."""
    with tempfile.TemporaryDirectory(prefix="shares-") as temporary:
        folder = Path(temporary)
        changes = drawn_data() if data is None else local_data(data)
        changes |= {} if width is None else {"model.width": width}
        write_params(folder, changes)
        run_stages(folder, "download", "convert")
        set_epochs(folder, steps)
        (folder / ".git").mkdir()  # where the repository ends: tracking's store and spool lie here
        answer = subprocess.run(
            [sys.executable, "-m", "benchmarks.shares", "--measure", str(time.time())],
            cwd=folder, env=environment() | QUIET | {"MLFLOW_TRACKING_URI": store(folder)},
            stdout=subprocess.PIPE, text=True, check=True,
        ).stdout  # fmt: skip
    return dict(json.loads(answer.splitlines()[-1]))


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def drawn_data() -> dict[str, Any]:
    return {"dataset.shapes.train_images": DRAWN, "dataset.shapes.val_images": VALIDATED}


def local_data(data: Path) -> dict[str, Any]:
    augment = YAML(typ="safe").load(ROOT / "presets/custom.yaml")["train"]["augment"]
    paths = {
        f"dataset.local.{split}_{kind}": str(path)
        for split in ("train", "val")
        for kind, path in zip(
            ("images", "annotations"), in_coco_layout(data.resolve(), split), strict=True
        )
    }
    return {"dataset.name": "local", "dataset.local.format": "coco", **paths} | {
        f"train.augment.{name}": value for name, value in augment.items()
    }


def set_epochs(folder: Path, steps: int) -> None:
    """Sets as many epochs as have `steps` steps at least."""
    conversion = json.loads((folder / "data/mindrecord/conversion.json").read_text())
    batch_size = YAML(typ="safe").load(folder / "params.yaml")["train"]["batch_size"]
    an_epoch = conversion["train"]["images"]["kept"] // batch_size
    write_params(folder, {"train.epochs": -(-steps // an_epoch)}, of=folder / "params.yaml")


def train_here(started_s: float) -> dict[str, Any]:
    """Runs the train stage in this process and folder, timed.

    Args:
        started_s: when the process was started, in seconds since 1970.
    """
    python_s = time.time() - started_s
    watch = Stopwatch()
    timed = time_stage(watch)
    sys.argv[1:] = []
    from stages import train

    train.main()
    seconds = watch.finish()
    sender = resource.getrusage(resource.RUSAGE_CHILDREN)
    compiling = max(0.0, timed.steps[0] - statistics.median(timed.steps[1:]))
    parts = {
        **dict.fromkeys(PARTS, 0.0),
        **seconds,
        "starting": python_s + timed.before_s,
        "compiling": compiling,
        "computing": seconds["computing"] - compiling,
        "other": seconds[OTHER] - timed.before_s,
    }
    whole = sum(parts.values())
    return {
        "steps": len(timed.steps),
        "seconds_a_step": rounded(statistics.median(timed.steps)),
        "seconds": {name: rounded(parts[name]) for name in PARTS},
        "shares": {name: rounded(parts[name] / whole) for name in PARTS},
        "whole_s": rounded(whole),
        "tracking_process_cpu_s": rounded(sender.ru_utime + sender.ru_stime),
    }


class Timed:
    """What else is noted of the stage.

    Attributes:
        steps: seconds of each.
        before_s: before the first image was asked for, what other parts took left out.
    """

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.before_s = 0.0


def time_stage(watch: Stopwatch) -> Timed:
    """Lets `watch` time the parts of the train stage."""
    from ssdcore.data.loader import TrainingLoader
    from ssdcore.report.previews import Previews
    from ssdcore.training import validation
    from ssdcore.training.run_files import RunFiles
    from ssdcore.training.state import TrainingState
    from ssdcore.training.step import StepOutcome, TrainingStep

    timed = Timed()
    take, epoch = TrainingStep.__call__, TrainingLoader.epoch

    def noted_step(step: TrainingStep, batches: Any) -> StepOutcome:
        began = time.perf_counter()
        outcome = take(step, batches)
        timed.steps.append(time.perf_counter() - began)
        return outcome

    def noted_epoch(loader: TrainingLoader, *arguments: Any) -> Iterator[Any]:
        timed.before_s = timed.before_s or watch.finish()[OTHER]
        return epoch(loader, *arguments)

    TrainingStep.__call__ = noted_step  # type: ignore[method-assign, assignment]
    TrainingLoader.epoch = noted_epoch  # type: ignore[method-assign, assignment]
    watch.watch(TrainingStep, "__call__", "computing")
    watch.watch_items(TrainingLoader, "epoch", "waiting for data")
    for name in ("predict_split", "evaluate"):
        watch.watch(validation, name, "validation")
    for owner, names in ((RunFiles, ("add", "finish")), (TrainingState, KEPT)):
        for name in names:
            watch.watch(owner, name, "checkpoints")
    watch_tracking(watch)
    watch.watch(Previews, "update", TRACKING)
    watch.watch_items(Previews, "draw", TRACKING)
    return timed


def as_table(content: dict[str, Any]) -> str:
    """Renders the figures in markdown."""
    runs: dict[str, Any] = content["runs"]

    def row(title: str, cell: Callable[[dict[str, Any]], str]) -> list[str]:
        return [title, *map(cell, runs.values())]

    def of_part(part: str) -> Callable[[dict[str, Any]], str]:
        return lambda run: f"{run['seconds'][part]:.2f} s, {run['shares'][part]:.1%}"

    return table(
        ["part", *runs],
        [
            *(row(f"{part}: {meaning}", of_part(part)) for part, meaning in PARTS.items()),
            row("whole", lambda run: f"{run['whole_s']:.1f} s"),
            row("steps", lambda run: f"{run['steps']} of {run['seconds_a_step']:.3f} s"),
            row(
                "processor time of the process that delivers to MLflow",
                lambda run: f"{run['tracking_process_cpu_s']:.1f} s",
            ),
            row("commit", lambda run: run["machine"]["commit"]),
            row("load before", lambda run: str(run["machine"]["load_before"])),
        ],
    )


if __name__ == "__main__":
    main()
