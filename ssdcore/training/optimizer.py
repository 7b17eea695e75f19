"""Computes new weights of gradients: loss scale, clipping, decay, optimiser, finite checks."""

from collections.abc import Iterable
from itertools import product
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
EACH, SUM, SUM_OF_ROW = ops.HyperMap(), ops.ReduceSum(), ops.ReduceSum(keep_dims=True)
"""Operators; a Python loop over the gradients, and their methods, double the compilation time."""


def make_optimizer(
    name: OptimizerName,
    parameters: Iterable[Parameter],
    rates: NDArray[Any],
    momentum: float,
    weight_decay: float,
    slow: Iterable[Parameter] = (),
    factor: float = 1.0,
) -> nn.Optimizer:
    """Builds the optimiser over all trainable parameters.

    "momentum" is Polyak's, as in the paper; "adam" adds the decay to the gradient, and `momentum`
    is its first decay rate. The rates of the `slow` parameters are multiplied by `factor`.
    """
    parameters = list(parameters)
    slow_ids = {id(p) for p in slow} if factor != 1 else set()
    groups: list[dict[str, Any]] = []
    for is_slow, decaying in product((False, True), (True, False)):
        members = [p for p in parameters if (decays(p), id(p) in slow_ids) == (decaying, is_slow)]
        own_rates = {"lr": Tensor(rates * rates.dtype.type(factor))} if is_slow else {}
        if members:
            own_decay = weight_decay if decaying else 0.0
            groups.append({"params": members, "weight_decay": own_decay} | own_rates)
    groups.append({"order_params": parameters})
    if name == "adam":
        return nn.Adam(groups, learning_rate=Tensor(rates), beta1=momentum)
    return nn.Momentum(groups, learning_rate=Tensor(rates), momentum=momentum)


def decays(parameter: Parameter) -> bool:
    """Returns whether weight decay applies: to kernels, not to biases, norms and the L2 scale.

    A kernel has more than one axis longer than 1.
    """
    return sum(side > 1 for side in parameter.shape) > 1


def max_gradient(
    optimizer: OptimizerName, max_step: float, momentum: float, lr_max: float
) -> float:
    """Returns the bound on gradients that keeps each update below `max_step`; see `Update`.

    The momentum adds up gradients to at most 1 / (1 - momentum) of one. The bound on updates
    falls with the rate: at half the highest rate it is half of `max_step`.

    `max_step` is the maximum change of a channel's weights at the highest rate, as a root mean
    square; 0 is none. Adam has none, since it divides gradients by their size.
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

    The scaler receives overflows, so that a dynamic scale halves. The gradients of each output
    channel are scaled down to a root mean square of `most`, unless that is 0, and then all to a
    global norm of `clip_norm`. The average follows each update.
    """

    def __init__(
        self,
        optimizer: nn.Optimizer,
        scaler: LossScaler,
        clip_norm: float,
        average: WeightAverage | None = None,
        most: float = 0.0,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.optimizer, self.scaler, self.average = optimizer, scaler, average
        self.clip_norm, self.most = clip_norm, most

    def construct(self, gradients: Any, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Returns whether unscaled loss and gradients are finite, and the norm before any bound."""
        squares = EACH(_squares, gradients)
        whole = _root(squares)
        finite = ops.logical_and(ops.isfinite(whole), ops.isfinite(loss))
        self.scaler.adjust(finite)
        if finite:
            bounds = EACH(ops.partial(_bound, self.most), gradients, squares)
            norm = _root(EACH(_bounded_squares, bounds, squares))
            factor = self.clip_norm / ops.maximum(norm, self.clip_norm)
            self.optimizer(EACH(ops.partial(_scaled, factor), bounds, gradients))
            if self.average is not None:
                self.average()
        return finite, whole


def _rows(gradient: Tensor) -> Tensor:
    """Returns a row for each output channel; a vector (biases, batch norm) is one channel."""
    return ops.reshape(gradient, (1 if gradient.ndim < 2 else gradient.shape[0], -1))


def _squares(gradient: Tensor) -> Tensor:
    """Returns the sum of squares (C, 1) of each output channel."""
    return SUM_OF_ROW(ops.square(_rows(gradient)), 1)


def _root(squares: Any) -> Tensor:
    """Returns the root of a sum of squares, finite only if all of them are."""
    return ops.sqrt(ops.addn(EACH(SUM, squares)))


def _bound(most: float, gradient: Tensor, squares: Tensor) -> Tensor:
    """Returns the factor (C, 1) that brings a channel down to a root mean square of `most`.

    The heads have no batch norm, and a hundred times the gradients of other layers: under a
    common norm they alone set the rate that all layers can take.
    """
    if not most:
        return ops.ones_like(squares)
    size = ops.sqrt(squares / (gradient.size // squares.size))
    return most / ops.maximum(size, most)


def _bounded_squares(bound: Tensor, squares: Tensor) -> Tensor:
    return squares * ops.square(bound)


def _scaled(factor: Tensor, bound: Tensor, gradient: Tensor) -> Tensor:
    return ops.reshape(ops.mul(_rows(gradient), bound * factor), gradient.shape)


class NonFiniteError(RunError):
    """Losses, gradients or weights are not finite; further steps would only spread this."""


def require_finite(parameters: Iterable[Parameter], where: str) -> None:
    """Refuses parameters that are about to be written and are not finite; `where` is the moment.

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
