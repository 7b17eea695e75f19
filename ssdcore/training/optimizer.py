"""From gradients to new weights: loss scale, clipping, weight decay, optimiser, finite checks."""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from numpy.typing import NDArray

from ssdcore.core.errors import RunError
from ssdcore.params.types import OptimizerName
from ssdcore.training.ema import WeightAverage

LossScaler: TypeAlias = "ms.amp.StaticLossScaler | ms.amp.DynamicLossScaler"

FIRST_DYNAMIC_SCALE = 2**16
STEPS_TO_DOUBLE = 2000
"""Updates without an overflow after which a dynamic scale doubles."""
SMALLEST_NORM = 1e-3
"""Norm that a channel of smaller weights counts as; it could never leave zero otherwise."""
EACH, SUM, SUM_OF_ROW = ops.HyperMap(), ops.ReduceSum(), ops.ReduceSum(keep_dims=True)
"""A Python loop over the gradients, and their methods, would double the compilation time."""


def make_optimizer(
    name: OptimizerName,
    parameters: Iterable[Parameter],
    rates: NDArray[Any],
    momentum: float,
    weight_decay: float,
) -> nn.Optimizer:
    """Builds the optimiser over all trainable parameters.

    Args:
        name: "momentum" (Polyak's, as in the paper) or "adam" (decay added to the gradient).
        parameters: the network's trainable parameters.
        rates: the learning rate of each step.
        momentum: of the gradient's running mean; Adam's first decay rate.
        weight_decay: factor of the L2 penalty's gradient.
    """
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if decays(p)], "weight_decay": weight_decay},
        {"params": [p for p in parameters if not decays(p)], "weight_decay": 0.0},
        {"order_params": parameters},
    ]
    if name == "adam":
        return nn.Adam(groups, learning_rate=Tensor(rates), beta1=momentum)
    return nn.Momentum(groups, learning_rate=Tensor(rates), momentum=momentum)


def decays(parameter: Parameter) -> bool:
    """Returns whether weight decay applies: to kernels, not to biases, norms and the L2 scale.

    A kernel has more than one axis longer than 1.
    """
    return sum(side > 1 for side in parameter.shape) > 1


def gradient_ratio(
    optimizer: OptimizerName, max_step: float, momentum: float, lr_max: float
) -> float:
    """Returns the ratio for `bounded` under which no update changes a channel by more.

    The momentum adds up gradients to at most 1 / (1 - momentum) of one, each bounded by the
    weights of its time. The bound falls with the rate: an update at half the highest rate changes
    a channel by half of `max_step` at most.

    Args:
        optimizer: "adam" divides gradients by their size, so that no bound holds; it has none.
        max_step: maximum change at the highest rate, as a share of the weights' norm; 0 is none.
        momentum: of the gradient's running mean.
        lr_max: the highest rate.
    """
    return max_step * (1 - momentum) / lr_max if optimizer == "momentum" else 0.0


def make_loss_scaler(scale: float | Literal["dynamic"]) -> LossScaler:
    """Returns the scaler that multiplies the loss and divides the gradients.

    Float16 loses gradients below 6e-8; a scale keeps them (Micikevicius et al., 2018). A dynamic
    scale starts at 65536, halves (down to 1) at each overflow, and doubles after 2000 updates
    without one.
    """
    if scale == "dynamic":
        return ms.amp.DynamicLossScaler(FIRST_DYNAMIC_SCALE, 2, STEPS_TO_DOUBLE)
    return ms.amp.StaticLossScaler(scale)


class Update(nn.Cell):
    """Applies gradients; changes nothing if one of them or the loss is not finite.

    Args:
        optimizer: over the trained parameters.
        scaler: is informed of overflows, so that a dynamic scale halves.
        clip_norm: maximum global norm of the gradients; larger ones are scaled down to it.
        average: follows each update, if given.
        clip_ratio: before `clip_norm`, maximum norm of each output channel's gradient as a share
            of its weights' norm; 0 is none. See `bounded`.
    """

    def __init__(
        self,
        optimizer: nn.Optimizer,
        scaler: LossScaler,
        clip_norm: float,
        average: WeightAverage | None = None,
        clip_ratio: float = 0.0,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer
        self.scaler = scaler
        self.clip_norm = clip_norm
        self.clip_ratio = clip_ratio
        self.average = average

    def construct(self, gradients: Any, loss: Tensor) -> Tensor:
        """Takes the unscaled loss and its gradients; returns whether they were finite."""
        norm = global_norm(gradients)
        finite = ops.logical_and(ops.isfinite(norm), ops.isfinite(loss))
        self.scaler.adjust(finite)
        if finite:
            if self.clip_ratio:
                to_bound = ops.partial(bounded, self.clip_ratio)
                gradients = EACH(to_bound, gradients, self.optimizer.parameters)
                norm = global_norm(gradients)
            factor = self.clip_norm / ops.maximum(norm, self.clip_norm)
            self.optimizer(EACH(ops.partial(_scaled, factor), gradients))
            if self.average is not None:
                self.average()
        return finite


def global_norm(gradients: Any) -> Tensor:
    """Returns the root of the sum of all squares, finite only if all gradients are."""
    return ops.sqrt(ops.addn(EACH(_square_sum, gradients)))


def bounded(ratio: float, gradient: Tensor, weight: Tensor) -> Tensor:
    """Scales the gradient of each output channel down to `ratio` of the norm of its weights.

    The heads have no batch norm, and for their size gradients a hundred times those of other
    layers: under a common norm they alone set the rate that all layers can take. Equation 3 of
    Brock et al., 2021 (adaptive gradient clipping). A vector (biases, batch norm) is bounded as a
    whole; its values count as 1 at least, since many start at 0.
    """
    is_vector = gradient.ndim < 2
    rows = ops.reshape(gradient, (1 if is_vector else gradient.shape[0], -1))
    least = rows.size**0.5 if is_vector else SMALLEST_NORM
    weights = ops.reshape(weight, rows.shape)
    norm = ops.sqrt(SUM_OF_ROW(ops.square(rows), 1))
    most = ratio * ops.maximum(ops.sqrt(SUM_OF_ROW(ops.square(weights), 1)), least)
    return ops.reshape(ops.mul(rows, most / ops.maximum(norm, most)), gradient.shape)


def _square_sum(gradient: Tensor) -> Tensor:
    """Sums row by row first: over a whole kernel MindSpore's CPU takes several times as long."""
    rows = ops.reshape(gradient, (gradient.shape[0], -1))
    return SUM(SUM(ops.square(rows), 1), 0)


def _scaled(factor: Tensor, gradient: Tensor) -> Tensor:
    return ops.mul(gradient, factor)


class NonFiniteError(RunError):
    """Losses, gradients or weights are not finite; further steps would only spread this."""


def require_finite(parameters: Iterable[Parameter], where: str) -> None:
    """Refuses parameters that are about to be written and are not finite.

    Args:
        parameters: of the network, or of the training's whole state.
        where: the moment, for the message.

    Raises:
        NonFiniteError: a parameter holds infinite values or NaN; the message lists the names.
    """
    broken = [p.name for p in parameters if not np.isfinite(p.asnumpy()).all()]
    if broken:
        raise NonFiniteError(
            f"{where}: {len(broken)} parameters hold values that are not finite "
            f"({', '.join(broken[:3])}). The files written before are unchanged. Lower "
            "train.lr_max or train.clip_norm, or look at the images of the steps before"
        )
