"""Builds a training from its parameters: data, network, loss, optimiser."""

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import mindspore as ms
from mindspore import nn
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import InputError
from ssdcore.data.loader import TrainingLoader
from ssdcore.download.local_copy import local_copy
from ssdcore.models.checkpoint import build_network
from ssdcore.models.fine_tune import freeze, pass_on, start_from
from ssdcore.models.layers import Dropout
from ssdcore.models.losses import DetectionLoss, make_class_loss
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.pretrained import load_vgg16
from ssdcore.models.ssd import SSD
from ssdcore.models.weight_files import read_arrays
from ssdcore.params.schema import ModelParams, RuntimeParams, TrainParams
from ssdcore.params.types import LossName
from ssdcore.training.distributed.group import ALONE, Group
from ssdcore.training.ema import WeightAverage
from ssdcore.training.optimizer import Update, make_loss_scaler, make_optimizer, max_gradient
from ssdcore.training.schedule import BASE_IMAGES, learning_rates
from ssdcore.training.step import TrainingStep

BYTES_PER_MB = 1_000_000
SHOWN_CLASSES = 5
HIGH_FOR_ADAM = 0.01
"""Rate from which on the demo's training with Adam breaks."""


class Training(NamedTuple):
    """Everything that `ssdcore.training.loop.train` needs."""

    metadata: ModelMetadata  # describes the network in its checkpoints
    network: SSD  # evaluated and saved: the trained network or its moving average
    loader: TrainingLoader
    rates: NDArray[Any]  # the learning rate of each update
    step: TrainingStep  # computes one update from its batches
    notes: list[str]  # lines for the log
    weights: tuple[Path, ...] = ()  # the files that the network started from


def prepare_training(
    model: ModelParams,
    train: TrainParams,
    runtime: RuntimeParams,
    classes: Sequence[CocoClass],
    shards: Sequence[Path],
    group: Group = ALONE,
    *,
    cores: int | None = None,
    model_folder: Path | None = None,
    build: Callable[[ModelParams, int, LossName], SSD] = build_network,
) -> Training:
    """Builds what the parameters describe; configure the device first.

    Each process of a group builds the same and starts alike. The classes are in the order of the
    labels 1 … C-1. `model_folder` receives the checkpoints; a training must not start from one of
    them. Pass another `build`, which returns the untrained network, for another backbone.

    Raises:
        InputError: the parameters don't fit the data, or the weights to start from don't fit the
            parameters.
    """
    metadata = ModelMetadata(model, tuple(classes), train.loss, step=0, cores=cores)
    loader = TrainingLoader(
        shards, *((train.batch_size, train.accumulate) if train.epochs else (1, 1)),
        metadata.default_boxes,
        train.augment, runtime.seed, runtime.workers, group,
        runtime.cache_mb * BYTES_PER_MB, train.matching, metadata.network_input, train.balance,
    )  # fmt: skip
    rates, highest, notes = _learning_rates(train, loader)
    if train.balance:
        notes.append(_describe_repeats(loader, classes))
    weights = _find_weights(metadata, train, model_folder)
    if train.epochs:
        network = build(model, len(classes), train.loss)
        loaded, fresh = _load_weights(network, metadata, weights, train)
        notes += [*loaded, *freeze(network, train.freeze, fresh)]
    else:
        network, metadata, notes = pass_on(metadata, *weights.values())
    kept, average = network, None
    if train.ema_decay and train.epochs:
        kept = build(model, len(classes), train.loss)
        average = WeightAverage(network, kept, train.ema_decay)
        notes.append(f"evaluated and saved: the weights' moving average, decay {train.ema_decay:g}")
    computed = network
    if runtime.amp != "O0":
        computed = ms.amp.auto_mixed_precision(network, runtime.amp)
    slow = network.backbone.trainable_params() if train.backbone_lr != 1 else ()
    if slow:
        notes.append(
            f"learning rates: maximum {rates.max():g}, of the backbone "
            f"{rates.max() * train.backbone_lr:g} (train.backbone_lr)"
        )
    optimizer = make_optimizer(
        train.optimizer, network.trainable_params(), rates, train.momentum, train.weight_decay,
        slow, train.backbone_lr,
    )  # fmt: skip
    most = max_gradient(train.optimizer, train.max_step, train.momentum, highest)
    update = Update(optimizer, make_loss_scaler(train.loss_scale), train.clip_norm, average, most)
    loss = DetectionLoss(make_class_loss(train.loss, train.min_negatives))
    step = TrainingStep(computed, loss, update, train.accumulate, group, compiled=train.jit)
    notes += _align_group(group, network, loader, step)
    return Training(metadata, kept, loader, rates, step, notes, tuple(weights.values()))


def _learning_rates(
    train: TrainParams, loader: TrainingLoader
) -> tuple[NDArray[Any], float, list[str]]:
    """Returns the learning rates, the highest, scaled under `train.auto_lr`, and notes for the log.

    A training that ends with its warm-up does not reach the highest one.
    """
    rates = learning_rates(
        loader.steps_per_epoch, max(train.epochs, 1), train.warmup_epochs,
        train.lr_init, train.lr_max, train.lr_end, train.schedule,
    )  # fmt: skip
    highest, notes = rates.dtype.type(train.lr_max), []
    if train.auto_lr:
        factor = loader.images_per_step / BASE_IMAGES
        rates *= rates.dtype.type(factor)
        highest *= rates.dtype.type(factor)
        notes.append(
            f"learning rates scaled by {factor:g} ({loader.images_per_step} images per update, "
            f"base {BASE_IMAGES}); maximum {train.lr_max * factor:g}"
        )
    if train.optimizer == "adam" and rates.max() > HIGH_FOR_ADAM:
        notes.append(
            f"a learning rate of {rates.max():.2g} is high for Adam, which moves every weight by "
            "about the rate: 0.0005 to 0.005 are usual for train.lr_max"
        )
    return rates, float(highest), notes


def _describe_repeats(loader: TrainingLoader, classes: Sequence[CocoClass]) -> str:
    """Returns a note for the log on the classes whose images are repeated."""
    named = [f"{classes[c - 1].name} {r:.2g}" for c, r in loader.class_repeats.items()]
    some = ", ".join(named[:SHOWN_CLASSES]) + (" …" if len(named) > SHOWN_CLASSES else "")
    shown = f"{loader.images_per_epoch} images an epoch instead of {loader.num_images}"
    return f"train.balance: {shown}; repeated: {some or 'none'}"


def _align_group(
    group: Group, network: SSD, loader: TrainingLoader, step: TrainingStep
) -> list[str]:
    """Checks that all processes start alike, gives each its own dropout; returns log lines."""
    if group.size == 1:
        return []
    digest = sha256()
    for name, parameter in sorted(step.state.items()):
        digest.update(name.encode() + parameter.asnumpy().tobytes())
    group.require_same("the network before training", digest.digest())
    cells = [cell for _, cell in network.cells_and_names()]
    for cell in cells:
        if isinstance(cell, Dropout):
            cell.set_stream(group.rank)
    note = f"{group.size} processes, {loader.images_per_step} images per update"
    if any(isinstance(cell, nn.BatchNorm2d) for cell in cells):
        note += "; batch norm uses each process's own batch, its statistics are averaged"
    return [note]


def _find_weights(
    metadata: ModelMetadata, train: TrainParams, model_folder: Path | None
) -> dict[str, Path]:
    """Returns the file to start from, if any, by the parameter that names it."""
    if metadata.model.pretrained is not None:
        key = "model.pretrained"
        return {key: local_copy(metadata.model.pretrained, key)}
    if train.init_from is None:
        return {}
    key = "train.init_from"
    if model_folder and Path(train.init_from).resolve().parent == model_folder.resolve():
        raise InputError(
            key, train.init_from,
            f"a checkpoint outside {model_folder}/, which each training replaces",
            "Copy it, for example to weights/start.ckpt (dvc checkout brings it back)",
        )  # fmt: skip
    return {key: local_copy(train.init_from, key)}


def _load_weights(
    network: SSD, metadata: ModelMetadata, weights: Mapping[str, Path], train: TrainParams
) -> tuple[list[str], Collection[str]]:
    """Loads the weights to start from, if any; returns log lines and the parameters left fresh."""
    for key, path in weights.items():
        if key == "model.pretrained":
            report = load_vgg16(network, read_arrays(path), key, train.pretrained_fc)
        else:
            report = start_from(network, metadata, path)
        return [f"{key}: {path}", *report.lines()], report.fresh
    return [], [p.name for p in network.get_parameters()]
