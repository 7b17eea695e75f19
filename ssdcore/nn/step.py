"""One optimisation step, compiled into one graph: forward, gradient, clip, update."""

from typing import NamedTuple

import mindspore as ms
from mindspore import Tensor, nn, ops

from ssdcore.nn.calm import CalmWait
from ssdcore.nn.loader import TrainingBatch
from ssdcore.nn.losses import DetectionLoss
from ssdcore.nn.ssd300 import SSD300


class StepLosses(NamedTuple):
    """The losses of one batch, before the update."""

    box: float
    classes: float

    @property
    def total(self) -> float:
        """What the gradient is taken of."""
        return self.box + self.classes


class TrainingStep:
    """Updates a network by a batch at a time.

    Args:
        network: trained in place.
        loss: of its outputs.
        optimizer: over the network's trainable parameters.
        clip_norm: largest global norm of the gradients; larger ones are scaled down to it.
    """

    def __init__(
        self, network: SSD300, loss: DetectionLoss, optimizer: nn.Optimizer, clip_norm: float
    ) -> None:
        self.network = network

        def forward(
            images: Tensor, target_offsets: Tensor, labels: Tensor
        ) -> tuple[Tensor, Tensor, Tensor]:
            offsets, logits = network(images)
            box, classes = loss(offsets, logits, target_offsets, labels)
            return box + classes, box, classes

        gradient = ms.value_and_grad(forward, None, optimizer.parameters, has_aux=True)

        @ms.jit
        def update(images: Tensor, target_offsets: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            (_, box, classes), gradients = gradient(images, target_offsets, labels)
            optimizer(ops.clip_by_global_norm(gradients, clip_norm))
            return box, classes

        self._update = update
        self._wait = CalmWait()

    def __call__(self, batch: TrainingBatch) -> StepLosses:
        """Takes one step and returns the losses that led to it."""
        self.network.set_train()
        tensors = Tensor(batch.images), Tensor(batch.offsets), Tensor(batch.labels)
        box, classes = self._wait(self._update, *tensors)
        return StepLosses(float(box), float(classes))
