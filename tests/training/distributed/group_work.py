"""The work of two processes in test_group_equals_one.py, and of one to compare with.

`python -m tests.training.distributed.group_work FOLDER` reads work.json and
writes of_RANK.npz and of_RANK.json. At the end the second process is killed, while the first waits
for it.
"""

import json
import os
import signal
import sys
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mindspore import nn

from ssdcore.coco.annotations import read_coco
from ssdcore.core.errors import InputError, Stopped
from ssdcore.core.signals import Signals
from ssdcore.data.loader import TrainingBatch, input_batches
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector, TimeSpent, split_results
from ssdcore.models.device import configure, seed_all
from ssdcore.models.losses import DetectionLoss, MultiboxLoss
from ssdcore.models.metadata import ModelMetadata
from ssdcore.params.reader import read_params
from ssdcore.params.schema import AugmentParams
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
PRIORS = default_boxes(MODEL.default_box_scales)
STEPS, SEED = 5, 3
STEADY = {"optimizer": "momentum", "lr_max": 0.01, "warmup_epochs": 0.0, "max_step": 0.0}
"""Adam divides a gradient by its size, so its rounding errors would become whole steps."""


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


def prepare(work: Work, group: Group, batch_size: int) -> Training:
    """Prepares a training on unvaried images, batch norm's statistics frozen."""
    seed_all(SEED)
    still = PARAMS.train.augment.model_copy(update=dict.fromkeys(AugmentParams.model_fields, 0.0))
    training = prepare_training(
        MODEL,
        PARAMS.train.model_copy(update={**STEADY, "augment": still, "batch_size": batch_size}),
        PARAMS.runtime,
        read_coco(Path(work.annotations)).classes,
        [Path(shard) for shard in work.shards],
        group,
        build=build_tiny,
    )
    for _, cell in training.network.cells_and_names():
        if isinstance(cell, nn.BatchNorm2d):
            cell.use_batch_statistics = False
    return training


def train(training: Training) -> dict[str, Any]:
    """Takes `STEPS` steps; returns the losses and the network."""
    outcomes = [training.step(batches) for batches in islice(training.loader.epoch(1), STEPS)]
    return {"losses": np.array([outcome[:2] for outcome in outcomes]), **values(training.network)}


def initial() -> dict[str, Any]:
    """Returns what `train` starts from."""
    seed_all(SEED)
    return values(build_tiny(MODEL, 6, "multibox"))


def tiny_step(group: Group, accumulate: int, *, batch_norm: bool) -> tuple[TrainingStep, Any]:
    """Returns a step and the moving average of the network that it trains."""
    seed_all(2)
    network, kept = TinyDetector(batch_norm), TinyDetector(batch_norm)
    average = WeightAverage(network, kept, 0.5)
    rates = np.full(50, 0.05, np.float32)
    optimizer = make_optimizer("momentum", network.trainable_params(), rates, 0.9, 0.001)
    update = Update(optimizer, make_loss_scaler("dynamic"), 1.0, average)
    loss = DetectionLoss(MultiboxLoss(2))
    compiled = group != ALONE or accumulate > 1  # to compile takes longer than a single step
    step = TrainingStep(network, loss, update, accumulate, group, compiled=compiled)
    return step, (network, kept)


def tiny_batches() -> list[TrainingBatch]:
    """Returns four batches of two images, one of them without objects."""
    rng = np.random.default_rng(8)
    return [tiny_batch(2, positives, rng) for positives in (4, 1, 0, 3)]


def accumulate(group: Group) -> tuple[dict[str, Any], dict[str, Any]]:
    """Takes two steps of all four batches: one process in turn, two processes two each.

    Then one in which the last process has gradients that are not finite. Returns the losses and
    the network after the two steps, and what the third has done.
    """
    step, (network, _) = tiny_step(group, 4 // group.size, batch_norm=False)
    batches = tiny_batches()[group.rank :: group.size]
    step(batches)
    outcome = step(batches)
    before = values(network)
    if group.rank == group.size - 1:
        first, *others = batches
        batches = [first._replace(images=np.full_like(first.images, 1e36)), *others]
    third = step(batches)
    kept = all((value == before[name]).all() for name, value in values(network).items())
    overflow = {"updated": third.updated, "scale": third.loss_scale, "weights kept": kept}
    return {"losses": np.array(outcome[:2]), **before}, overflow


def normalise(group: Group) -> dict[str, Any]:
    """Takes a step of the first and the last batch, with batch norm and a moving average."""
    first, *_, last = tiny_batches()
    pair = [TrainingBatch(*map(np.concatenate, zip(first, last, strict=True)))]
    step, networks = tiny_step(group, 1, batch_norm=True)
    step(pair if group == ALONE else [(first, last)[group.rank]])
    found = [values(network) for network in networks]
    return {f"{index}.{k}": v for index, each in enumerate(found) for k, v in each.items()}


def statistics_of_each_half() -> list[dict[str, Any]]:
    """Returns what the first and the last batch do to the network, each taken by itself."""
    found = []
    for batch in tiny_batches()[::3]:
        step, (network, _) = tiny_step(ALONE, 1, batch_norm=True)
        step([batch])
        found.append(values(network))
    return found


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
    training = prepare(work, group, 1)
    accumulated, overflow = accumulate(group)
    arrays = {
        "trained": train(training),
        "accumulated": accumulated,
        "normalised": normalise(group),
    }
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
