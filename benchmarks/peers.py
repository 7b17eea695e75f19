"""Our full network compared with PyTorch's and ONNX Runtime on this CPU, in turns.

Compares a training step and an inference pass at batch 1, 2 and 8 in float32. PyTorch is not in the
lock file: `pip install torch==2.13.0`. About seven minutes on two cores.

All start from the same weights and batch. No ratio is given if outputs or losses differ. The
training step is `TrainingStep` with the preset's optimiser, clipping and loss, one batch to an
update, without moving average; targets are encoded before. Inference ends with offsets and
probabilities. `onnxruntime` is the library's default session on the exported file.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness, our_ssd300
from ssdcore.params.reader import read_params
from ssdcore.params.schema import TrainParams
from ssdcore.params.types import Format

ROUNDS, QUICK_ROUNDS = {1: 7, 2: 7, 8: 3}, {1: 2, 2: 2}
"""By batch size."""
QUICK_WIDTH = 0.125
TOLERANCE = 1e-4
TRAINING, INFERENCE = "training step", "inference"
PEERS = ("pytorch", "onnxruntime")
Work = Callable[[], Any]


class Worker:
    """A contender in a process of its own, which sleeps during the turns of the others.

    Within one process, the thread pools of several libraries would disturb each other.

    Args:
        build: returns the work; a function of a module, or a `partial` of one.
    """

    def __init__(self, build: Callable[[], Work]) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _build, (build,))

    def __call__(self, *, send: bool = False) -> Any:
        """Does the work; returns its result if `send`."""
        return self._pool.submit(_work, send=send).result()

    def stop(self) -> None:
        """Ends the process."""
        self._pool.shutdown()


_worker: dict[str, Work] = {}
"""In the worker's process: its work."""


def _build(build: Callable[[], Work]) -> None:
    _worker["work"] = build()


def _work(*, send: bool) -> Any:
    result = _worker["work"]()
    return result if send else None


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns a row for each task, batch size and contender."""
    params = read_params(harness.ROOT / "presets/coco2017.yaml")
    width = QUICK_WIDTH if quick else 1.0
    model = params.model.model_copy(update={"width": width, "pretrained": None})
    rows = []
    with tempfile.TemporaryDirectory(prefix="peers-") as temporary:
        folder = Path(temporary)
        formats: tuple[Format, ...] = ("onnx", "mindir")
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            pool.submit(our_ssd300.write, folder, model, formats).result()
        for batch, rounds in (QUICK_ROUNDS if quick else ROUNDS).items():
            for task in (TRAINING, INFERENCE):
                rows += contest(task, batch, contenders(task, folder, batch, params.train), rounds)
    return {"width": width, "tolerance": TOLERANCE, "rows": rows}


def contenders(
    task: str, folder: Path, batch: int, train: TrainParams
) -> dict[str, Callable[[], Work]]:
    """Returns what builds the work of each contender of a task, ours first, by name."""
    from benchmarks import pytorch_ssd300

    if task == TRAINING:
        both = {"checkpoint": our_ssd300.training, "pytorch": pytorch_ssd300.training}
        return {name: partial(build, folder, batch, train) for name, build in both.items()}
    kinds = ("checkpoint", "mindir", "onnx", "onnxruntime")
    builds = {kind: partial(our_ssd300.inference, folder, batch, kind) for kind in kinds}
    return {**builds, "pytorch": partial(pytorch_ssd300.inference, folder, batch)}


def contest(
    task: str, batch: int, builds: Mapping[str, Callable[[], Work]], rounds: int
) -> list[dict[str, Any]]:
    """Runs the contenders of a task in turns; returns a row for each.

    Raises:
        SystemExit: one computes something else than the first.
    """
    workers = {name: Worker(build) for name, build in builds.items()}
    try:
        # twice: the second training step shows the first one's update
        answers = {
            name: [np.asarray(part) for _ in range(2) for part in worker(send=True)]
            for name, worker in workers.items()
        }
        first = next(iter(answers))
        differences = {name: difference(found, answers[first]) for name, found in answers.items()}
        if not all(found <= TOLERANCE for found in differences.values()):
            raise SystemExit(f"{task}, batch {batch}: not what {first} computes: {differences}")
        seconds = harness.take_turns(workers, rounds)
    finally:
        for worker in workers.values():
            worker.stop()
    rows = []
    for name, times in seconds.items():
        row = {"task": task, "batch": batch, "contender": name, "seconds": harness.summary(times)}
        row |= {"difference": differences[name]}
        others = {peer: harness.ratios(times, seconds[peer]) for peer in PEERS if peer in seconds}
        rows.append(row | {"ratios": {peer: harness.summary(r) for peer, r in others.items()}})
    return rows


def difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
    """Returns the largest difference, as a share of the largest value if that exceeds 1."""
    shares = [
        np.abs(a - b).max() / max(1.0, np.abs(b).max())
        for a, b in zip(found, expected, strict=True)
    ]
    return float(np.max(shares))


def as_table(content: harness.Content) -> str:
    """Returns a row for each contender; a ratio is its time divided by the peer's."""
    rows, peers = [], [p for p in PEERS if any(p in row["ratios"] for row in content["rows"])]
    for row in content["rows"]:
        cells = [row["task"], row["batch"], row["contender"], *harness.spread(row["seconds"], 3)]
        for peer in peers:
            ratio = row["ratios"].get(peer) if peer != row["contender"] else None
            cells.append(", ".join(harness.spread(ratio)) if ratio else "")
        rows.append(cells)
    header = ["task", "batch", "contender", "s", "spread", *(f"times {peer}'s" for peer in peers)]
    return harness.table(header, rows)


if __name__ == "__main__":
    torch = ("torch",) if find_spec("torch") else ()
    harness.run("peers", __doc__, measure, as_table, "mindspore", "onnxruntime", *torch)
