"""The work of two processes in test_group_equals_one.py, and of one to compare with.

`python -m tests.training.distributed.group_work FOLDER` reads work.json and
writes of_RANK.npz and of_RANK.json. At the end the second process is killed, while the first waits
for it.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from ssdcore.coco.annotations import read_coco
from ssdcore.core.errors import InputError, Stopped
from ssdcore.core.signals import Signals
from ssdcore.data.loader import TrainingBatch, input_batches
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector, TimeSpent, split_results
from ssdcore.models.device import configure, seed_all
from ssdcore.models.losses import DetectionLoss, MultiboxLoss
from ssdcore.models.metadata import ModelMetadata
from ssdcore.params.reader import read_params
from ssdcore.training.distributed.group import ALONE, Group, join_group
from ssdcore.training.ema import TRAINED, WeightAverage
from ssdcore.training.optimizer import Update, make_loss_scaler, make_optimizer
from ssdcore.training.setup import Training, prepare_training
from ssdcore.training.step import TrainingStep
from ssdcore.training.validation import gather_found, make_validation
from tests.clone import UNCOMPILED
from tests.training.tiny import TinyDetector, build_tiny, tiny_batch

ROOT = Path(__file__).parents[3]
PARAMS = read_params(ROOT / "params.yaml")
MODEL = PARAMS.model.model_copy(update={"width": 0.02, "dropout": 0.0})


class Work(NamedTuple):
    """The data to work on.

    Attributes:
        annotations: a COCO file.
        shards: its images.
        score: minimum score of a detection.
    """

    annotations: str
    shards: list[str]
    score: float


def prepare(work: Work, group: Group) -> Training:
    seed_all(3)
    return prepare_training(
        MODEL,
        PARAMS.train,
        PARAMS.runtime,
        read_coco(Path(work.annotations)).classes,
        [Path(shard) for shard in work.shards],
        group,
        build=build_tiny,
    )


def tiny_batches() -> list[TrainingBatch]:
    """Returns four batches of two images, one of them without objects."""
    rng = np.random.default_rng(8)
    return [tiny_batch(2, positives, rng) for positives in (4, 1, 0, 3)]


class TinyTraining:
    """A step for a tiny network with batch norm and a moving average, compiled in a group."""

    def __init__(self, group: Group) -> None:
        seed_all(2)
        self.network, self.kept = TinyDetector(), TinyDetector()
        average = WeightAverage(self.network, self.kept, 0.5)
        rates = np.full(50, 0.05, np.float32)
        optimizer = make_optimizer("momentum", self.network.trainable_params(), rates, 0.9, 0.001)
        update = Update(optimizer, make_loss_scaler("dynamic"), 1.0, average)
        loss, accumulate = DetectionLoss(MultiboxLoss(2)), 4 // group.size
        compiled = group != ALONE
        self.step = TrainingStep(self.network, loss, update, accumulate, group, compiled=compiled)
        self.initial = {name: p.asnumpy().copy() for name, p in self.step.state.items()}
        self._batches = tiny_batches()[group.rank :: group.size]
        self._overflows = group.rank == group.size - 1

    def _reset(self) -> None:
        for name, value in self.initial.items():
            ms.ops.assign(self.step.state[name], ms.Tensor(value))

    def _weights(self) -> dict[str, Any]:
        return {p.name: p.asnumpy().copy() for p in self.network.trainable_params()}

    def accumulate(self) -> dict[str, Any]:
        """Takes two steps of all four batches: one process in turn, two processes two each.

        Returns the losses and the weights. Batch norm's statistics depend on the order.
        """
        self._reset()
        self.step(self._batches)
        outcome = self.step(self._batches)
        return {"losses": np.array(outcome[:2]), **self._weights()}

    def overflow(self) -> dict[str, Any]:
        """Takes a step in which the last process has gradients that are not finite."""
        before, (first, *others) = self._weights(), self._batches
        if self._overflows:
            first = first._replace(offsets=np.full_like(first.offsets, np.nan))
        outcome = self.step([first, *others])
        kept = all((value == before[name]).all() for name, value in self._weights().items())
        return {"updated": outcome.updated, "scale": outcome.loss_scale, "weights kept": kept}

    def normalise(self, batch: TrainingBatch) -> dict[str, Any]:
        """Takes a first step; returns what it does to the network and to its average."""
        self._reset()
        self.step([batch])
        found = [values(network) for network in (self.network, self.kept)]
        return {f"{index}.{k}": v for index, each in enumerate(found) for k, v in each.items()}


def predict(work: Work, group: Group, batch_size: int) -> list[dict[str, Any]]:
    """Detects with an untrained network, which is not compiled."""
    split = read_coco(Path(work.annotations))
    seed_all(4)
    network = build_tiny(MODEL, len(split.classes), "multibox")
    detector = Detector(network, ModelMetadata(MODEL, (), "multibox", 0), batch_size)
    shards = [Path(shard) for shard in work.shards]
    batches = input_batches(shards, detector.batch_size, 1, group, detector.network_input)
    found = detector.detect(batches, Thresholds(score=work.score), TimeSpent())
    return list(split_results(gather_found(found, group), split, split.classes).rows())


class LateStop(Signals):
    """Receives a stop signal when it installs its handlers for the `nth` time."""

    def __init__(self, nth: int | None) -> None:
        super().__init__()
        self.left = nth

    def arm(self) -> None:
        super().arm()
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGTERM)


def measure(work: Work, training: Training, group: Group) -> str:
    """Measures until the last process is to stop, when the first has no batch left; returns why."""
    split, shards = read_coco(Path(work.annotations)), [Path(shard) for shard in work.shards]
    batch_size, nth = ((10, None), (2, 3))[group.rank]
    with LateStop(nth) as signals:
        validate = make_validation(
            training, batch_size, split, shards, 1, group, signals, lambda *_: None
        )
        with pytest.raises(Stopped) as stopped:
            validate()
    return str(stopped.value)


def exchange(group: Group) -> dict[str, Any]:
    """Returns what the processes receive from each other."""
    group.require_same("what is the same", b"same")
    with pytest.raises(InputError) as refused:
        group.require_same("the place", bytes([group.rank]))
    return {
        "gathered": group.gather((group.rank + 1) * [group.rank + 0.1]),
        "any": group.any(False, group.rank == 1, True),
        "refused": str(refused.value),
        "is_writer": group.is_writer,
    }


def values(network: nn.Cell) -> dict[str, Any]:
    """Returns copies of a network's parameters."""
    return {p.name.removeprefix(TRAINED): p.asnumpy().copy() for p in network.get_parameters()}


def main() -> None:
    folder = Path(sys.argv[1])
    work = Work(**json.loads((folder / "work.json").read_text()))
    configure("CPU")
    group = join_group()
    training = prepare(work, group)
    tiny = TinyTraining(group)
    arrays = {
        "normalised": tiny.normalise(tiny_batches()[3 * group.rank]),
        "accumulated": tiny.accumulate(),
    }
    overflow = tiny.overflow()
    os.environ.update(UNCOMPILED)
    words = {
        "group": group,
        "notes": training.notes,
        "overflow": overflow,
        "exchanged": exchange(group),
        "predictions": {size: predict(work, group, size) for size in (3, 10)},
        "stopped": measure(work, training, group),
    }
    flat = {f"{key}/{name}": v for key, found in arrays.items() for name, v in found.items()}
    np.savez(folder / f"of_{group.rank}.npz", **flat)
    (folder / f"of_{group.rank}.json").write_text(json.dumps(words))
    print(f"process {group.rank} has done its part", flush=True)
    group.any(False)
    if group.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    group.any(False)


if __name__ == "__main__":
    main()
