"""One optimisation step, compiled: forward, gradient of the scaled loss, update."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops

from ssdcore.nn.calm import CalmWait
from ssdcore.nn.loader import TrainingBatch
from ssdcore.nn.losses import DetectionLoss, num_positives
from ssdcore.nn.update import Update


class StepOutcome(NamedTuple):
    """What a step did.

    Attributes:
        box: box loss of its batches, before the update.
        classes: class loss of its batches, before the update.
        updated: False where a gradient was not finite, so that the weights stayed as they were.
        loss_scale: what the loss is multiplied by for the next gradient.
    """

    box: float
    classes: float
    updated: bool = True
    loss_scale: float = 1.0

    @property
    def total(self) -> float:
        """What the gradient is taken of."""
        return self.box + self.classes


class TrainingStep:
    """Updates a network by one batch, or by several as if they were one.

    Several batches give the gradient of one large batch: each counts by its positives, and the
    sum is divided by all of them. Batch norm still sees one batch at a time.

    Args:
        network: trained in place.
        loss: of its outputs.
        update: applies a gradient to the network's parameters.
        accumulate: batches to an update.

    Attributes:
        parameters: what is trained.
    """

    def __init__(
        self, network: nn.Cell, loss: DetectionLoss, update: Update, accumulate: int = 1
    ) -> None:
        self.parameters = update.optimizer.parameters
        self._network = network
        self._scaler = update.scaler
        self._wait = CalmWait()
        scaler = update.scaler

        def forward(
            images: Tensor, target_offsets: Tensor, labels: Tensor
        ) -> tuple[Tensor, Tensor, Tensor]:
            offsets, logits = network(images)
            box, classes = loss(offsets, logits, target_offsets, labels)
            return scaler.scale(box + classes), box, classes

        gradient = ms.value_and_grad(forward, None, update.optimizer.parameters, has_aux=True)
        self._take = _whole(gradient, update) if accumulate == 1 else _summed(gradient, update)

    def __call__(self, batches: Sequence[TrainingBatch]) -> StepOutcome:
        """Takes one step and returns the losses that led to it."""
        self._network.set_train()
        tensors = [(Tensor(b.images), Tensor(b.offsets), Tensor(b.labels)) for b in batches]
        box, classes, finite = self._wait(self._take, tensors)
        scale = float(self._scaler.scale_value.asnumpy())
        return StepOutcome(float(box), float(classes), bool(finite), scale)


Batches = Sequence[tuple[Tensor, Tensor, Tensor]]
Results = tuple[Tensor, Tensor, Tensor]
"""Box loss, class loss, and whether the gradient was finite; three scalars."""


def _whole(gradient: Callable[..., Any], update: Update) -> Callable[[Batches], Results]:
    """One batch, one graph."""

    @ms.jit
    def take(images: Tensor, target_offsets: Tensor, labels: Tensor) -> Results:
        (_, box, classes), gradients = gradient(images, target_offsets, labels)
        return box, classes, update(update.scaler.unscale(gradients))

    return lambda batches: take(*batches[0])


def _summed(gradient: Callable[..., Any], update: Update) -> Callable[[Batches], Results]:
    """Several batches: a graph adds the gradient of each, another one takes the step."""
    sums = update.optimizer.parameters.clone(prefix="sum", init="zeros")
    losses = Parameter(Tensor([0.0, 0.0]), name="sum.losses")
    positives = Parameter(Tensor(0.0), name="sum.positives")

    @ms.jit
    def add(images: Tensor, target_offsets: Tensor, labels: Tensor) -> None:
        (_, box, classes), gradients = gradient(images, target_offsets, labels)
        gradients = update.scaler.unscale(gradients)
        found = num_positives(labels)
        share = ops.maximum(found, 1.0)
        for i in range(len(sums)):
            ops.assign_add(sums[i], gradients[i] * share)
        ops.assign_add(losses, ops.stack((box, classes)) * share)
        ops.assign_add(positives, found)

    @ms.jit
    def finish() -> Results:
        divisor = ops.maximum(positives, 1.0)
        mean = losses / divisor
        finite = update(tuple([total / divisor for total in sums]))
        for i in range(len(sums)):
            ops.assign(sums[i], ops.zeros_like(sums[i]))
        ops.assign(losses, ops.zeros_like(losses))
        ops.assign(positives, ops.zeros_like(positives))
        return mean[0], mean[1], finite

    def take(batches: Batches) -> Results:
        for batch in batches:
            add(*batch)
        return finish()

    return take
