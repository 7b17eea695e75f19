"""Convolution and max pooling whose gradients are cheap on a CPU, too.

They compute what MindSpore's own do and have the same parameters. On a CPU MindSpore takes the
gradient of a convolution's input by a product that it writes out whole before it adds it up, and
pools a second time to take the gradient of the pooling; both are bound by memory. Accelerators
keep the built-in gradients.
"""

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn, ops

MOST_CHANNELS = 128
"""Output channels up to which the input's gradient is faster as a convolution; measured."""


def on_cpu() -> bool:
    """Says whether the configured device is a CPU."""
    return ms.get_context("device_target") == "CPU"


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` over maps that keep their size and few output channels has its own gradient."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel_size: int, **kwargs: Any
    ) -> None:
        super().__init__(channels_in, channels_out, kernel_size, **kwargs)
        reach = self.dilation[0] * (kernel_size - 1)
        keeps_size = self.stride == (1, 1) and 2 * self.padding == reach
        cheaper = kernel_size > 1 and channels_out <= MOST_CHANNELS
        if on_cpu() and keeps_size and self.group == 1 and cheaper:
            self.conv2d = _Correlation(self)


class _Correlation(nn.Cell):
    """x (B, in, H, W), weight (out, in, k, k) → (B, out, H, W).

    With y = w ∗ x, the gradient of x is that of y, correlated with the kernels turned by 180°
    and with input and output channels exchanged.
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
        turned = ops.transpose(ops.reverse(weight, (2, 3)), (1, 0, 2, 3))
        of_weight = self.gradients(self.product)(x, weight, gradient)[1]
        return self.backward_product(gradient, turned), of_weight


class MaxPool2d(nn.MaxPool2d):
    """`nn.MaxPool2d`, which while it trains remembers where each maximum stood."""

    def __init__(self, kernel_size: int, stride: int, pad_mode: str) -> None:
        super().__init__(kernel_size, stride, pad_mode)
        self.remembers = on_cpu()
        self.pool_and_place = ops.MaxPoolWithArgmax(kernel_size, stride, pad_mode)

    def construct(self, x: Tensor) -> Tensor:
        """Pools x (B, C, H, W)."""
        if self.training and self.remembers:
            return self.pool_and_place(x)[0]
        return super().construct(x)
