"""One optimisation step, compiled: forward, gradient of the scaled loss, update."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from ssdcore.data.loader import TrainingBatch
from ssdcore.models.device import CpuWait
from ssdcore.models.losses import DetectionLoss, num_positives
from ssdcore.training.distributed.group import ALONE, Group, GroupSum
from ssdcore.training.optimizer import Update


class StepOutcome(NamedTuple):
    """The outcome of a step; its losses are from before the update."""

    box_loss: float
    class_loss: float
    updated: bool = True  # False if loss or gradient was not finite and the weights did not change
    loss_scale: float = 1.0  # factor on the loss for the next gradient
    rescaled: bool = False  # whether the factor is smaller than for this gradient
    gradient_norm: float = 0.0  # of all gradients, before `train.max_step` and `train.clip_norm`

    @property
    def total(self) -> float:
        """The loss that was differentiated."""
        return self.box_loss + self.class_loss


class TrainingStep:
    """Updates a network with one batch, or with several as if they were one.

    Several batches give the gradient of one large batch: each is weighted by its positives, and
    the sum is divided by all positives. One process takes the batches in turn, a group in
    parallel. Batch norm still normalises one batch of one process at a time.

    All processes of a group have the same network after a step: gradients, losses and positives
    are summed over the group, and the moving statistics of batch norm are averaged. They must
    start the first step with the same network.

    Each process adds up `accumulate` batches. A debugger can follow the code of a step that is not
    `compiled`. The `state` has all parameters that steps change, by name; restoring them resumes
    the training exactly.
    """

    def __init__(
        self,
        network: nn.Cell,
        loss: DetectionLoss,
        update: Update,
        accumulate: int = 1,
        group: Group = ALONE,
        *,
        compiled: bool = True,
    ) -> None:
        self.parameters = update.optimizer.parameters
        self.state = _state(network, update)
        self._network = network
        self._scaler = update.scaler
        self._wait = CpuWait()
        scaler = update.scaler

        def forward(
            images: Tensor, target_offsets: Tensor, labels: Tensor
        ) -> tuple[Tensor, Tensor, Tensor]:
            offsets, logits = network(images)
            box_loss, class_loss = loss(offsets, logits, target_offsets, labels)
            return scaler.scale(box_loss + class_loss), box_loss, class_loss

        gradient = ms.value_and_grad(forward, None, update.optimizer.parameters, has_aux=True)
        compiler = ms.jit if compiled else lambda function: function
        if accumulate == group.size == 1:
            self._compute = _single_batch_step(gradient, update, compiler)
        else:
            statistics = _moving_statistics(network)
            self._compute = _accumulated_step(gradient, update, statistics, group, compiler)

    def __call__(self, batches: Sequence[TrainingBatch]) -> StepOutcome:
        """Computes one step and returns its losses from before the update."""
        self._network.set_train()
        before = float(self._scaler.scale_value.asnumpy())  # the array would follow the step
        results = self._wait(self._compute, _tensors(batches))
        return _outcome((*results, before, self._scaler.scale_value.asnumpy()))

    def launch(self, batches: Sequence[TrainingBatch]) -> Callable[[], StepOutcome]:
        """Starts a step without waiting; calling the result waits for and returns its outcome."""
        self._network.set_train()
        before = self._scaler.scale_value + 0  # a copy, since the next step may change it
        results = self._compute(_tensors(batches))
        values = (*results, before, self._scaler.scale_value + 0)
        return lambda: _outcome(tuple(value.asnumpy() for value in values))


Batches = Sequence[tuple[Tensor, Tensor, Tensor]]
Results = tuple[Tensor, Tensor, Tensor, Tensor]
"""Box loss, class loss, whether loss and gradient are finite, and its norm; four scalars."""
Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]


def _tensors(batches: Sequence[TrainingBatch]) -> Batches:
    return [(Tensor(b.images), Tensor(b.offsets), Tensor(b.labels)) for b in batches]


def _outcome(values: tuple[Any, ...]) -> StepOutcome:
    """Makes the outcome of `Results` and the loss scale before and after the step."""
    box_loss, class_loss, finite, norm, before, scale = map(float, values)
    return StepOutcome(box_loss, class_loss, bool(finite), scale, scale < before, norm)


def _state(network: nn.Cell, update: Update) -> dict[str, Parameter]:
    cells = [network, update.optimizer, *([update.average] if update.average else [])]
    parameters = [(p.name, p) for cell in cells for p in cell.get_parameters()]
    scaling = [value for value in vars(update.scaler).values() if isinstance(value, Parameter)]
    parameters += [(f"loss_scaler.{p.name}", p) for p in scaling]
    return dict(parameters)


def _single_batch_step(
    gradient: Callable[..., Any], update: Update, compiler: Compiler
) -> Callable[[Batches], Results]:
    """Returns the step for one batch: a single graph."""

    @compiler
    def compute(images: Tensor, target_offsets: Tensor, labels: Tensor) -> Results:
        (_, box_loss, class_loss), gradients = gradient(images, target_offsets, labels)
        finite, norm = update(update.scaler.unscale(gradients), box_loss + class_loss)
        return box_loss, class_loss, finite, norm

    return lambda batches: compute(*batches[0])


def _moving_statistics(network: nn.Cell) -> list[Parameter]:
    """Returns the means and variances that batch norm uses in inference; not the frozen ones."""
    norms = [cell for _, cell in network.cells_and_names() if isinstance(cell, nn.BatchNorm2d)]
    learnt = [norm for norm in norms if norm.use_batch_statistics is None]
    return [p for norm in learnt for p in (norm.moving_mean, norm.moving_variance)]


def _accumulated_step(
    gradient: Callable[..., Any],
    update: Update,
    statistics: list[Parameter],
    group: Group,
    compiler: Compiler,
) -> Callable[[Batches], Results]:
    """Returns the step for several batches: one graph adds up gradients, another updates."""
    sums = update.optimizer.parameters.clone(prefix="sum", init="zeros")
    losses = Parameter(Tensor([0.0, 0.0]), name="sum.losses")
    positives = Parameter(Tensor(0.0), name="sum.positives")
    sums_and_counts = ParameterTuple([*sums, losses, positives])
    averaged = ParameterTuple(statistics if group.size > 1 else [])
    over_group = GroupSum(group)

    @compiler
    def add(images: Tensor, target_offsets: Tensor, labels: Tensor) -> None:
        (_, box_loss, class_loss), gradients = gradient(images, target_offsets, labels)
        gradients = update.scaler.unscale(gradients)
        found = num_positives(labels)
        share = ops.maximum(found, 1.0)
        for i in range(len(sums)):
            ops.assign_add(sums[i], gradients[i] * share)
        ops.assign_add(losses, ops.stack((box_loss, class_loss)) * share)
        ops.assign_add(positives, found)

    @compiler
    def finish() -> Results:
        totals = over_group(sums_and_counts + averaged)
        for i in range(len(averaged)):
            ops.assign(averaged[i], totals[len(sums_and_counts) + i] / group.size)
        divisor = ops.maximum(totals[len(sums) + 1], 1.0)
        mean = totals[len(sums)] / divisor
        gradients = tuple([total / divisor for total in totals[: len(sums)]])
        finite, norm = update(gradients, mean.sum())
        for i in range(len(sums_and_counts)):
            ops.assign(sums_and_counts[i], ops.zeros_like(sums_and_counts[i]))
        return mean[0], mean[1], finite, norm

    def compute(batches: Batches) -> Results:
        for batch in batches:
            add(*batch)
        return finish()

    return compute
