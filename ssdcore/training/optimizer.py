"""The optimiser, with weight decay on the weights that should shrink and on no others."""

from collections.abc import Iterable
from typing import Any, Literal

from mindspore import Parameter, Tensor, nn
from numpy.typing import NDArray

OptimizerName = Literal["momentum", "adam"]


def decays(parameter: Parameter) -> bool:
    """Says whether weight decay applies: to kernels, not to biases, norms and the L2 scale.

    A kernel is what has more than one axis longer than 1.
    """
    return sum(side > 1 for side in parameter.shape) > 1


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
