"""Convolution and max pooling with faster gradients on a CPU.

Results and parameters equal those of MindSpore's own cells. On a CPU, MindSpore computes the
gradient of a convolution's input through a product that it stores whole before summing, and the
gradient of max pooling by pooling a second time; memory bounds both. Accelerators keep the
built-in gradients.
"""

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

MAX_CHANNELS = 128
"""Output channels up to which the input's gradient is faster as a convolution (measured)."""


def on_cpu() -> bool:
    """Returns whether the configured device is a CPU."""
    return ms.get_context("device_target") == "CPU"


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` with a faster input gradient where it keeps the size and has few channels."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel_size: int, **kwargs: Any
    ) -> None:
        super().__init__(channels_in, channels_out, kernel_size, **kwargs)
        reach = self.dilation[0] * (kernel_size - 1)
        keeps_size = self.stride == (1, 1) and 2 * self.padding == reach
        cheaper = kernel_size > 1 and channels_out <= MAX_CHANNELS
        if on_cpu() and keeps_size and self.group == 1 and cheaper:
            self.conv2d = _Correlation(self)


class _Correlation(nn.Cell):
    """x (B, in, H, W), weight (out, in, k, k) → (B, out, H, W).

    With y = w ∗ x, the gradient of x is the gradient of y, correlated with the kernels rotated by
    180° and with input and output channels exchanged.
    """

    def __init__(self, like: nn.Conv2d) -> None:
        super().__init__()
        style = {
            "kernel_size": like.kernel_size, "pad_mode": "pad", "pad": like.padding,
            "dilation": like.dilation,
        }  # fmt: skip
        self.forward_product = ops.Conv2D(like.out_channels, **style)
        self.backward_product = ops.Conv2D(like.in_channels, **style)
        self.gradients = ops.GradOperation(get_all=True, sens_param=True)

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        return self.forward_product(x, weight)

    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        return self.forward_product(x, weight)

    def bprop(
        self, x: Tensor, weight: Tensor, out: Tensor, gradient: Tensor
    ) -> tuple[Tensor, Tensor]:
        rotated = ops.transpose(ops.reverse(weight, (2, 3)), (1, 0, 2, 3))
        of_weight = self.gradients(self.product)(x, weight, gradient)[1]
        return self.backward_product(gradient, rotated), of_weight


class MaxPool2d(nn.MaxPool2d):
    """`nn.MaxPool2d` that stores the index of each maximum while training on a CPU."""

    def __init__(self, kernel_size: int, stride: int, pad_mode: str) -> None:
        super().__init__(kernel_size, stride, pad_mode)
        self.stores_indices = on_cpu()
        self.pool_with_indices = ops.MaxPoolWithArgmax(kernel_size, stride, pad_mode)

    def construct(self, x: Tensor) -> Tensor:
        """Pools x (B, C, H, W)."""
        if self.training and self.stores_indices:
            return self.pool_with_indices(x)[0]
        return super().construct(x)
