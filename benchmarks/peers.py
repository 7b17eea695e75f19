"""Our full network against PyTorch's and ONNX Runtime on this CPU, in turns.

`python -m benchmarks.peers` compares a training step and an inference pass at batch 1, 2 and 8 in
float32. PyTorch is not in the lock: `pip install torch==2.13.0`, without it its rows are left out
and no file is written. About seven minutes on two cores; `--quick`, width 0.125 and fewer rounds,
half a minute and no file.

All start from the same weights and batch. A ratio is given only where outputs or losses agree.
The training step is `TrainingStep` with the preset's optimiser, clipping and loss, one batch to
an update, no moving average; targets are encoded before. Inference ends with offsets and
probabilities. `onnxruntime` is the library's default session on the file that we export.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import our_ssd300
from benchmarks.frame import (
    ROOT,
    circumstances,
    parser,
    ratios,
    rounded,
    spread,
    summary,
    table,
    take_turns,
    write_results,
)  # fmt: skip
from benchmarks.worker import Worker
from ssdcore.geometry.default_boxes import IMAGE_SIZE, NUM_DEFAULT_BOXES
from ssdcore.params.reader import read_params

ROUNDS = {1: 7, 2: 7, 8: 3}
QUICK_ROUNDS = {1: 2, 2: 2}
QUICK_WIDTH = 0.125
RATE = 1e-4
POSITIVES = 20
TOLERANCE = 1e-4
TRAINING, INFERENCE = "training step", "inference"
PEERS = ("pytorch", "onnxruntime")
INSTALL = "PyTorch's rows are left out: pip install torch==2.13.0"


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--quick", action="store_true", help="a narrow network, few rounds, no file")
    arguments = own.parse_args()
    has_torch = find_spec("torch") is not None
    libraries = ["mindspore", "onnxruntime", *(["torch"] if has_torch else [])]
    machine = circumstances(*libraries)
    content = measure(
        QUICK_WIDTH if arguments.quick else 1.0,
        QUICK_ROUNDS if arguments.quick else ROUNDS,
        has_torch=has_torch,
    )
    print(as_table(content))
    if not has_torch:
        print(INSTALL, file=sys.stderr)
    elif not (arguments.quick or arguments.print_only):
        write_results("peers", content, machine)


def measure(width: float, rounds: Mapping[int, int], *, has_torch: bool) -> dict[str, Any]:
    """Returns a row for each task, batch size and contender."""
    params = read_params(ROOT / "presets/coco2017.yaml")
    train = params.train
    learning = (RATE, train.momentum, train.weight_decay, train.clip_norm, train.min_negatives)
    rows = []
    with tempfile.TemporaryDirectory(prefix="peers-") as temporary:
        folder = Path(temporary)
        model = params.model.model_copy(update={"width": width, "pretrained": None})
        writer = Worker(our_ssd300.writing, folder, model)
        writer()
        writer.stop()
        for batch, turns in rounds.items():
            np.savez(folder / f"batch_{batch}.npz", **example(batch))
            for task in (TRAINING, INFERENCE):
                starts = entrants(task, folder, batch, learning, has_torch=has_torch)
                rows += contest(task, batch, starts, turns)
    return {"width": width, "tolerance": TOLERANCE, "rows": rows}


def example(batch: int) -> dict[str, Any]:
    """Returns a batch of noise with encoded targets, always the same."""
    rng = np.random.default_rng(batch)
    labels = np.zeros((batch, NUM_DEFAULT_BOXES), np.int32)
    for row in labels:
        chosen = rng.choice(NUM_DEFAULT_BOXES, POSITIVES, replace=False)
        row[chosen] = rng.integers(1, our_ssd300.NUM_FOREGROUND + 1, POSITIVES)
    return {
        "images": rng.normal(size=(batch, 3, IMAGE_SIZE, IMAGE_SIZE)).astype(np.float32),
        "offsets": rng.normal(size=(batch, NUM_DEFAULT_BOXES, 4)).astype(np.float32),
        "labels": labels,
    }


def entrants(
    task: str, folder: Path, batch: int, learning: tuple[float, ...], *, has_torch: bool
) -> dict[str, Callable[[], Worker]]:
    """Returns what starts each contender of a task, ours first, by name."""
    at = (folder, batch)
    if task == TRAINING:
        starts = {"checkpoint": partial(Worker, our_ssd300.training, *at, *learning)}
    else:
        starts = {
            path: partial(Worker, our_ssd300.inference, *at, path)
            for path in ("checkpoint", "mindir", "onnx")
        }
        starts["onnxruntime"] = partial(Worker, our_ssd300.onnx_runtime, *at)
    if has_torch:
        from benchmarks import pytorch_ssd300

        if task == TRAINING:
            starts["pytorch"] = partial(Worker, pytorch_ssd300.training, *at, *learning)
        else:
            starts["pytorch"] = partial(Worker, pytorch_ssd300.inference, *at)
    return starts


def contest(
    task: str, batch: int, starts: Mapping[str, Callable[[], Worker]], rounds: int
) -> list[dict[str, Any]]:
    """Lets the contenders of a task take turns; returns a row for each.

    Raises:
        RuntimeError: one computes something else than the first, so that no ratio means anything.
    """
    workers: dict[str, Worker] = {}
    try:
        answers = {}
        for name, start in starts.items():
            workers[name] = start()
            # twice: the second training step shows the first one's update
            answers[name] = [np.asarray(a) for _ in range(2) for a in workers[name].answer()]
        first, *others = answers
        differences = {name: difference(answers[name], answers[first]) for name in others}
        wrong = {name: d for name, d in differences.items() if not d <= TOLERANCE}
        if wrong:
            raise RuntimeError(f"{task}, batch {batch}: not what {first} computes: {wrong}")
        seconds = take_turns(workers, rounds)
        idle = {name: worker.idle_share() for name, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.stop()
    return [
        {
            "task": task, "batch": batch, "contender": name, "seconds": summary(times),
            "difference": differences.get(name, 0.0), "busy_while_idle": rounded(idle[name]),
            "ratios": {
                peer: summary(ratios(times, seconds[peer])) for peer in PEERS if peer in seconds
            },
        }
        for name, times in seconds.items()
    ]  # fmt: skip


def difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
    """Returns the greatest difference, as a share of the largest value where that exceeds 1."""
    return max(
        float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))
        for a, b in zip(found, expected, strict=True)
    )


def as_table(content: Mapping[str, Any]) -> str:
    """Returns the rows as markdown; a ratio is how many times the peer's time ours is."""
    header = ["task", "batch", "contender", "s", "spread", *(f"times {peer}'s" for peer in PEERS)]
    rows = []
    for row in content["rows"]:
        cells = [row["task"], row["batch"], row["contender"], *spread(row["seconds"], 3)]
        for peer in PEERS:
            ratio = row["ratios"].get(peer) if peer != row["contender"] else None
            cells.append("{}, {}".format(*spread(ratio)) if ratio else "")
        rows.append(cells)
    return table(header, rows)


if __name__ == "__main__":
    main()
