"""The convolutions of a training step of our full network, compared with PyTorch's, in turns.

Each convolution runs alone, without and with the gradients of its input and weights, at batch 2 and
8 in float32. This says how much of the difference between two training steps (`benchmarks.peers`)
is theirs. PyTorch as there. About six minutes on two cores.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import harness
from benchmarks.peers import as_table, contest

ROUNDS, QUICK_ROUNDS = {2: 7, 8: 3}, {1: 2}
"""By batch size."""
QUICK_WIDTH = 0.125
FORWARD, WITH_GRADIENTS = "convolutions", "convolutions and gradients"
SHOWN = 64
"""Values of each result that are compared with the other's."""


class Convolution(NamedTuple):
    """A convolution of square maps and kernels."""

    channels_in: int
    channels_out: int
    side: int  # of the input
    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def side_out(self) -> int:
        """The side of the output."""
        reach = self.dilation * (self.kernel - 1) + 1
        return (self.side + 2 * self.padding - reach) // self.stride + 1

    def arrays(self, batch: int) -> tuple[NDArray[np.float32], ...]:
        """Returns an input, weights and a gradient of the output, always the same."""
        rng = np.random.default_rng(self.channels_in)
        shapes = (
            (batch, self.channels_in, self.side, self.side),
            (self.channels_out, self.channels_in, self.kernel, self.kernel),
            (batch, self.channels_out, self.side_out, self.side_out),
        )
        x, weights, gradient = (rng.standard_normal(s, np.float32) for s in shapes)
        return x, weights / np.float32(np.sqrt(weights[0].size)), gradient


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns a row for each task, batch size and contender, as `benchmarks.peers`."""
    width = QUICK_WIDTH if quick else 1.0
    layers = of_network(width)
    rows = []
    for batch, rounds in (QUICK_ROUNDS if quick else ROUNDS).items():
        for task in (FORWARD, WITH_GRADIENTS):
            builds = {
                "checkpoint": partial(ours, layers, batch, task),
                "pytorch": partial(pytorchs, layers, batch, task),
            }
            rows += contest(task, batch, builds, rounds)
    return {"width": width, "convolutions": len(layers), "rows": rows}


def of_network(width: float) -> list[Convolution]:
    """Returns the convolutions of the network with COCO's classes that take gradients of maps.

    The first one's input is the image, which has no gradient; it is left out.
    """
    import torch

    from benchmarks.our_ssd300 import NUM_CLASSES
    from benchmarks.pytorch_ssd300 import SSD300
    from ssdcore.geometry.feature_maps import IMAGE_SIZE

    found = []

    def note(layer: Any, inputs: tuple[Any, ...]) -> None:
        kernel, stride, padding, dilation = (
            value[0] for value in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        )
        side = inputs[0].shape[-1]
        sizes = (side, kernel, stride, padding, dilation)
        found.append(Convolution(layer.in_channels, layer.out_channels, *sizes))

    network = SSD300(NUM_CLASSES + 1, width)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_pre_hook(note)
    with torch.inference_mode():
        network(torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE))
    return found[1:]


def ours(layers: list[Convolution], batch: int, task: str) -> Callable[[], list[Any]]:
    """Returns what computes our convolutions one by one."""
    import mindspore as ms
    from mindspore import ParameterTuple, Tensor, ops

    from ssdcore.models.conv import Conv2d
    from ssdcore.models.device import configure

    configure("CPU")
    gradient_of = ops.GradOperation(get_all=True, get_by_list=True, sens_param=True)

    def work(layer: Convolution) -> Callable[[], list[Any]]:
        x, weights, of_output = map(Tensor, layer.arrays(batch))
        cell = Conv2d(
            layer.channels_in, layer.channels_out, layer.kernel, stride=layer.stride,
            pad_mode="pad", padding=layer.padding, dilation=layer.dilation, weight_init=weights,
        )  # fmt: skip
        gradients = gradient_of(cell, ParameterTuple([cell.weight]))

        @ms.jit
        def compute(x: Tensor, of_output: Tensor) -> Any:
            return (cell(x), gradients(x, of_output)) if task == WITH_GRADIENTS else (cell(x), ())

        def first_values() -> list[Any]:
            y, found = compute(x, of_output)
            arrays = [y, *(array for (array,) in found)]
            return [array.asnumpy().ravel()[:SHOWN] for array in arrays]

        return first_values

    works = [work(layer) for layer in layers]
    return lambda: [array for each in works for array in each()]


def pytorchs(layers: list[Convolution], batch: int, task: str) -> Callable[[], list[Any]]:
    """Returns what computes PyTorch's convolutions one by one."""
    import torch

    def work(layer: Convolution) -> Callable[[], list[Any]]:
        x, weights, of_output = map(torch.from_numpy, layer.arrays(batch))
        style = [[layer.stride] * 2, [layer.padding] * 2, [layer.dilation] * 2]

        def first_values() -> list[Any]:
            arrays = [torch.conv2d(x, weights, None, *style)]
            if task == WITH_GRADIENTS:
                rest = (None, *style, False, [0, 0], 1, [True, True, False])
                backward = torch.ops.aten.convolution_backward
                arrays += backward(of_output, x, weights, *rest)[:2]
            return [array.numpy().ravel()[:SHOWN] for array in arrays]

        return first_values

    works = [work(layer) for layer in layers]
    return lambda: [array for each in works for array in each()]


if __name__ == "__main__":
    harness.run("convolutions", __doc__, measure, as_table, "mindspore", "torch")
