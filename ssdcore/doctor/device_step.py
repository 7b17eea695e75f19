"""Computes on one device what `ssdcore.doctor.device` compares; run in a process of its own."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import mindspore as ms
import numpy as np
from numpy.typing import NDArray

from ssdcore.data.loader import TrainingBatch
from ssdcore.doctor.device import noise
from ssdcore.inference.detector import Detector
from ssdcore.models.checkpoint import build_network
from ssdcore.models.device import configure, describe_choice, seed_all
from ssdcore.models.losses import DetectionLoss, make_class_loss
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.ssd import SSD
from ssdcore.params.reader import read_params
from ssdcore.params.schema import ModelParams, TrainParams
from ssdcore.params.types import Device
from ssdcore.training.optimizer import Update, make_loss_scaler, make_optimizer
from ssdcore.training.step import StepOutcome, TrainingStep

CLASSES = 5
RATE = 1e-3


def example(batch: int, model: ModelParams) -> TrainingBatch:
    """Returns a batch of noise with targets for a network; see `noise`."""
    boxes = model.layout.num_default_boxes
    return TrainingBatch(np.arange(batch), **noise(batch, model.input_size, CLASSES, boxes))


def make_network(model: ModelParams, train: TrainParams) -> SSD:
    """Returns the network with random weights, the same on each device, and without dropout."""
    seed_all(1)
    network = build_network(model.model_copy(update={"dropout": 0.0}), CLASSES, train.loss)
    rng = np.random.default_rng(1)
    for parameter in network.trainable_params():
        if parameter.ndim > 1:
            spread = np.sqrt(2 / np.prod(parameter.shape[1:]))  # He et al., 2015
            values = rng.normal(scale=spread, size=parameter.shape)
            parameter.set_data(ms.Tensor(values.astype(np.float32)))
    return network


def make_step(
    network: SSD, train: TrainParams, amp: str = "O0", rate: float = RATE
) -> TrainingStep:
    """Returns a training step with momentum; float16 has a dynamic loss scale."""
    rates = np.full(10_000, rate, np.float32)
    optimizer = make_optimizer(
        "momentum", network.trainable_params(), rates, train.momentum, train.weight_decay
    )
    scaler = make_loss_scaler("dynamic" if amp != "O0" else 1.0)
    computed = ms.amp.auto_mixed_precision(network, amp) if amp != "O0" else network
    return TrainingStep(computed, _loss(train), Update(optimizer, scaler, train.clip_norm))


def compute(device: Device, amp: str, params_file: str, batch: str, out: str) -> None:
    """Writes an inference's and a training step's results to the file `out`.

    The precision `amp` is that of the training step; the parameter file describes network, loss
    and step. The .npz file has the keys of `ssdcore.doctor.device.BOUNDS`, `device` and `seconds`.
    """
    params = read_params(Path(params_file))
    chosen = configure(device)
    if chosen == "GPU":  # true float32: TF32 and HF32, the defaults, change an output by 0.001
        ms.device_context.gpu.op_precision.conv_allow_tf32(False)
    elif chosen == "Ascend":
        ms.device_context.ascend.op_precision.conv_allow_hf32(False)
    network = make_network(params.model, params.train)
    images = example(int(batch), params.model)
    metadata = ModelMetadata(params.model, (), params.train.loss, 0)
    offsets, probabilities = Detector(network, metadata, int(batch)).answers(images.images)
    before = _weights(network)
    gradients = _gradients(network, params.train, images) if amp == "O0" else np.zeros(0)
    step = make_step(network, params.train, amp)
    began = perf_counter()
    outcome = first_update(lambda: step([images]))
    compiled = perf_counter()
    after = _weights(network)
    step([images])
    seconds = perf_counter() - compiled
    np.savez(
        out,
        device="; ".join(describe_choice(device, chosen)),
        seconds=[compiled - began - seconds, seconds],
        offsets=offsets,
        probabilities=probabilities,
        losses=[outcome.box_loss, outcome.class_loss],
        gradients=gradients,
        changes=after - before,
    )


def first_update(step: Callable[[], StepOutcome]) -> StepOutcome:
    """Returns the outcome of the first step that updates; each before halves the dynamic scale.

    Raises:
        ArithmeticError: a step is not finite for another reason than an overflow of float16.
    """
    outcome = step()
    while outcome.rescaled:
        outcome = step()
    if not outcome.updated:
        raise ArithmeticError("a loss or a gradient of the training step is not finite")
    return outcome


def _gradients(network: SSD, train: TrainParams, batch: TrainingBatch) -> NDArray[Any]:
    """Returns the gradients of all weights in one array."""
    loss = _loss(train)

    def total(images: ms.Tensor, target_offsets: ms.Tensor, labels: ms.Tensor) -> ms.Tensor:
        box_loss, class_loss = loss(*network(images), target_offsets, labels)
        return box_loss + class_loss

    network.set_train()
    gradient = ms.jit(ms.grad(total, None, network.trainable_params()))
    found = gradient(*(ms.Tensor(part) for part in batch[1:]))
    return np.concatenate([one.asnumpy().ravel() for one in found])


def _loss(train: TrainParams) -> DetectionLoss:
    return DetectionLoss(make_class_loss(train.loss, train.min_negatives))


def _weights(network: SSD) -> NDArray[Any]:
    return np.concatenate([p.asnumpy().ravel() for p in network.trainable_params()])
