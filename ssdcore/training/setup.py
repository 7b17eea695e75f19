"""Puts a training together from its parameters: data, network, losses, optimiser."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import mindspore as ms
from mindspore import nn
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.loader import TrainingLoader
from ssdcore.download.local_copy import local_copy
from ssdcore.models.checkpoint import build_network
from ssdcore.models.dropout import Dropout
from ssdcore.models.fine_tune import start_from
from ssdcore.models.losses import DetectionLoss
from ssdcore.models.metadata import Card
from ssdcore.models.pretrained import load_vgg16
from ssdcore.models.ssd import SSD300
from ssdcore.models.weight_files import read_arrays
from ssdcore.params.schema import ModelParams, RuntimeParams, TrainParams
from ssdcore.training.distributed.group import ALONE, Group
from ssdcore.training.ema import WeightAverage
from ssdcore.training.optimizer import make_optimizer
from ssdcore.training.schedule import BASE_IMAGES, learning_rates
from ssdcore.training.step import TrainingStep
from ssdcore.training.update import Update, make_loss_scaler

BYTES_OF_MB = 1_000_000


class Training(NamedTuple):
    """Everything a training run needs, ready for `ssdcore.training.loop.fit`.

    Attributes:
        card: what its checkpoints will say of themselves.
        network: what is evaluated and saved: the trained network or its moving average.
        loader: the training data.
        rates: the learning rate of each update.
        step: takes the batches of one update.
        notes: what a reader of the log should know, a line each.
        weights: the files that the network started from.
    """

    card: Card
    network: SSD300
    loader: TrainingLoader
    rates: NDArray[Any]
    step: TrainingStep
    notes: list[str]
    weights: tuple[Path, ...] = ()


def prepare_training(
    model: ModelParams,
    train: TrainParams,
    runtime: RuntimeParams,
    classes: Sequence[CocoClass],
    shards: Sequence[Path],
    group: Group = ALONE,
) -> Training:
    """Builds what the parameters describe; the device is configured before.

    Args:
        model: the network.
        train: how it learns.
        runtime: seed, worker threads and precision.
        classes: what it detects, in the order of the labels.
        shards: the training split.
        group: the processes that train together; each builds the same and starts alike.

    Raises:
        InputError: the parameters don't fit the data, or weights to start from don't fit them.
    """
    card = Card(model, tuple(classes), train.loss, step=0)
    loader = TrainingLoader(
        shards, train.batch_size, train.accumulate, card.default_boxes,
        train.augment, runtime.seed, runtime.workers, group,
        runtime.cache_mb * BYTES_OF_MB,
    )  # fmt: skip
    rates, notes = _rates(train, loader)
    network = build_network(model, len(classes), train.loss)
    weights = _weights(card, train)
    notes += _start(network, card, weights)
    kept, average = network, None
    if train.ema_decay:
        kept = build_network(model, len(classes), train.loss)
        average = WeightAverage(network, kept, train.ema_decay)
        notes.append(f"evaluated and saved: the weights' moving average, decay {train.ema_decay:g}")
    computed = network
    if runtime.amp != "O0":
        computed = ms.amp.auto_mixed_precision(network, runtime.amp)
    optimizer = make_optimizer(
        train.optimizer, network.trainable_params(), rates, train.momentum, train.weight_decay
    )
    update = Update(optimizer, make_loss_scaler(train.loss_scale), train.clip_norm, average)
    loss = DetectionLoss(train.loss, train.min_negatives)
    step = TrainingStep(computed, loss, update, train.accumulate, group, compiled=train.jit)
    notes += _in_group(group, network, loader, step)
    return Training(card, kept, loader, rates, step, notes, tuple(weights.values()))


def _rates(train: TrainParams, loader: TrainingLoader) -> tuple[NDArray[Any], list[str]]:
    """Returns the learning rates, scaled where asked for, and what to say of that."""
    rates = learning_rates(
        loader.steps_per_epoch, train.epochs, train.warmup_epochs,
        train.lr_init, train.lr_max, train.lr_end,
    )  # fmt: skip
    if not train.auto_lr:
        return rates, []
    factor = loader.images_per_step / BASE_IMAGES
    note = (
        f"learning rates times {factor:g}: {loader.images_per_step} images an update, given for "
        f"{BASE_IMAGES}; highest {train.lr_max * factor:g}"
    )
    return rates * rates.dtype.type(factor), [note]


def _in_group(
    group: Group, network: SSD300, loader: TrainingLoader, step: TrainingStep
) -> list[str]:
    """Makes sure that all processes start alike; returns what to say of the group."""
    if group.size == 1:
        return []
    digest = sha256()
    for name, parameter in sorted(step.state.items()):
        digest.update(name.encode() + parameter.asnumpy().tobytes())
    group.require_same("the network before training", digest.digest())
    cells = [cell for _, cell in network.cells_and_names()]
    for cell in cells:
        if isinstance(cell, Dropout):
            cell.take_stream(group.rank)
    note = f"{group.size} processes, {loader.images_per_step} images an update"
    if any(isinstance(cell, nn.BatchNorm2d) for cell in cells):
        note += "; batch norm takes each process's own batch, its statistics are their mean"
    return [note]


def _weights(card: Card, train: TrainParams) -> dict[str, Path]:
    """Returns the file to start from, if any, under the parameter that names it."""
    if card.model.pretrained is not None:
        key = "model.pretrained"
        return {key: local_copy(card.model.pretrained, key)}
    if train.init_from is None:
        return {}
    key = "train.init_from"
    if Path(train.init_from).resolve().parent == layout.MODEL.resolve():
        raise InputError(
            key, train.init_from, "a checkpoint outside model/, which each training replaces",
            "Copy it, for example to weights/start.ckpt (dvc checkout brings it back)",
        )  # fmt: skip
    return {key: local_copy(train.init_from, key)}


def _start(network: SSD300, card: Card, weights: Mapping[str, Path]) -> list[str]:
    """Fills in the weights to start from, if any; returns what was taken and what was not."""
    notes = []
    for key, path in weights.items():
        notes.append(f"{key}: {path}")
        if key == "model.pretrained":
            notes += load_vgg16(network, read_arrays(path), key).lines()
        else:
            notes += start_from(network, card, path)
    return notes
