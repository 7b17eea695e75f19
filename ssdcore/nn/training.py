"""Puts a training together from its parameters: data, network, losses, optimiser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ssdcore.data.augment import Strengths
from ssdcore.data.coco import CocoClass
from ssdcore.nn.checkpoint import Card, build_network
from ssdcore.nn.loader import TrainingLoader
from ssdcore.nn.losses import DetectionLoss
from ssdcore.nn.optimizer import make_optimizer
from ssdcore.nn.schedule import learning_rates
from ssdcore.nn.ssd300 import SSD300
from ssdcore.nn.step import TrainingStep
from ssdcore.params import ModelParams, RuntimeParams, TrainParams


class Training(NamedTuple):
    """Everything a training run needs, ready for `ssdcore.nn.fit.fit`.

    Attributes:
        card: what its checkpoints will say of themselves.
        network: as initialised.
        loader: the training data.
        rates: the learning rate of each step.
        step: takes one batch.
    """

    card: Card
    network: SSD300
    loader: TrainingLoader
    rates: NDArray[Any]
    step: TrainingStep


def prepare_training(
    model: ModelParams,
    train: TrainParams,
    runtime: RuntimeParams,
    classes: Sequence[CocoClass],
    shards: Sequence[Path],
) -> Training:
    """Builds what the parameters describe; the device is configured before.

    Args:
        model: the network.
        train: how it learns.
        runtime: seed and worker threads.
        classes: what it detects, in the order of the labels.
        shards: the training split.

    Raises:
        InputError: the parameters don't fit the data.
    """
    card = Card(model, tuple(classes), train.loss, step=0)
    strengths = Strengths(**train.augment.model_dump())
    loader = TrainingLoader(
        shards, train.batch_size, card.default_boxes, strengths, runtime.seed, runtime.workers
    )
    rates = learning_rates(
        loader.steps_per_epoch, train.epochs, train.warmup_epochs,
        train.lr_init, train.lr_max, train.lr_end,
    )  # fmt: skip
    network = build_network(model, len(classes), train.loss)
    optimizer = make_optimizer(
        train.optimizer, network.trainable_params(), rates, train.momentum, train.weight_decay
    )
    loss = DetectionLoss(train.loss, train.min_negatives)
    step = TrainingStep(network, loss, optimizer, train.clip_norm)
    return Training(card, network, loader, rates, step)
