"""Translates the network to ONNX, cell by cell.

MindSpore's own export to ONNX supports no free batch size. After training, batch norm is a
constant affine map, so it is folded into the convolution before it.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from mindspore import nn

from ssdcore.export.onnx_builder import BATCH, Graph, tensor
from ssdcore.models.layers import CaffeInput, ConvBlock, Dropout, L2Norm
from ssdcore.models.losses import Activation, make_class_loss
from ssdcore.models.ssd import SSD, ExtraBlock
from ssdcore.models.vgg16 import VGG16
from ssdcore.params.types import LossName

ACTIVATIONS: dict[Activation, tuple[str, dict[str, Any]]] = {
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": -1}),
}
"""The ONNX operator of each activation, and its attributes."""


def to_onnx(network: SSD, loss: LossName) -> Any:
    """Returns a network as an ONNX model: images → offsets, probabilities.

    images (B, 3, S, S) as `to_network_input` makes them, offsets (B, K, 4),
    probabilities (B, K, C); B is free. The class loss of the training provides the activation.
    """
    graph = Graph()
    offsets, logits = _outputs(network, graph, "images")
    graph.add("Identity", offsets, outputs=["offsets"])
    operator, attributes = ACTIVATIONS[make_class_loss(loss).activation]
    graph.add(operator, logits, outputs=["probabilities"], **attributes)
    side, boxes = network.input_size, network.layout.num_default_boxes
    return graph.model(
        f"ssd{side}",
        [tensor("images", np.float32, (BATCH, 3, side, side))],
        [
            tensor("offsets", np.float32, (BATCH, boxes, 4)),
            tensor("probabilities", np.float32, (BATCH, boxes, network.num_classes)),
        ],
    )


def _outputs(network: SSD, graph: Graph, images: str) -> tuple[str, str]:
    """Follows `SSD.construct`."""
    maps = _emit_backbone(network.backbone, graph, images)
    x = maps[-1]
    maps[0] = _emit(network.l2_norm, graph, maps[0])
    for extra in network.extras:
        x = _emit(extra, graph, x)
        maps.append(x)

    def by_default_box(heads: Iterable[nn.Cell], values: int) -> str:
        parts = []
        for head, feature_map in zip(heads, maps, strict=True):
            y = graph.add("Transpose", _emit(head, graph, feature_map), perm=[0, 2, 3, 1])
            shape = graph.constant(np.array((0, -1, values)), f"by_{values}")  # 0: unchanged
            parts.append(graph.add("Reshape", y, shape))
        return graph.add("Concat", *parts, axis=1)

    return (
        by_default_box(network.box_heads, 4),
        by_default_box(network.class_heads, network.num_classes),
    )


def _emit_backbone(cell: nn.Cell, graph: Graph, x: str) -> list[str]:
    """Adds the nodes of a backbone; returns its maps."""
    if not isinstance(cell, VGG16):
        raise NotImplementedError(f"the backbone {type(cell).__name__} has no translation to ONNX")

    def through(*cells: nn.Cell) -> str:  # follows VGG16.construct
        return _in_turn(cells, graph, x)

    x = through(cell.input, cell.conv1, cell.pool, cell.conv2, cell.pool, cell.conv3, cell.pool)
    conv4_3 = x = through(cell.conv4)
    x = through(cell.pool, cell.conv5, cell.pool5, cell.fc6, cell.dropout, cell.fc7, cell.dropout)
    return [conv4_3, x]


def _in_turn(cells: Iterable[nn.Cell], graph: Graph, x: str) -> str:
    """Applies cells in sequence; folds a batch norm into the convolution before it."""
    convolution: nn.Conv2d | None = None
    for cell in cells:
        if convolution is not None:
            norm = cell if isinstance(cell, nn.BatchNorm2d) else None
            x = _convolve(graph, x, convolution, norm)
            convolution = None
            if norm is not None:
                continue
        if isinstance(cell, nn.Conv2d):
            convolution = cell
        else:
            x = _emit(cell, graph, x)
    return x if convolution is None else _convolve(graph, x, convolution, None)


def _convolve(graph: Graph, x: str, cell: nn.Conv2d, norm: nn.BatchNorm2d | None) -> str:
    """Adds a convolution; with batch norm, y = γ (w·x + b - μ) / √(σ² + ε) + β."""
    weight = cell.weight.asnumpy().astype(np.float64)
    bias = cell.bias.asnumpy().astype(np.float64) if cell.has_bias else np.zeros(len(weight))
    if norm is not None:
        variance, mean = norm.moving_variance.asnumpy(), norm.moving_mean.asnumpy()
        factor = norm.gamma.asnumpy() / np.sqrt(variance.astype(np.float64) + norm.eps)
        weight *= factor[:, None, None, None]
        bias = factor * (bias - mean) + norm.beta.asnumpy()
    name = cell.weight.name.removesuffix(".weight")
    has_bias = cell.has_bias or norm is not None
    padding = cell.padding if isinstance(cell.padding, tuple) else (cell.padding,) * 4
    top, bottom, left, right = padding
    inputs = [graph.constant(weight.astype(np.float32), f"{name}.weight")]
    if has_bias:
        inputs.append(graph.constant(bias.astype(np.float32), f"{name}.bias"))
    return graph.add(
        "Conv", x, *inputs, kernel_shape=list(cell.kernel_size), strides=list(cell.stride),
        dilations=list(cell.dilation), pads=[top, left, bottom, right], group=cell.group,
    )  # fmt: skip


def _emit(cell: nn.Cell, graph: Graph, x: str) -> str:
    """Adds the nodes of a cell applied to the value x; returns the result."""
    match cell:
        case nn.Identity() | Dropout():  # only active in training
            return x
        case nn.Conv2d():
            return _convolve(graph, x, cell, None)
        case nn.SequentialCell():
            return _in_turn(cell, graph, x)
        case ConvBlock():
            return _in_turn((cell.conv, cell.norm, cell.activation), graph, x)
        case ExtraBlock():
            return _in_turn((cell.reduce, cell.expand), graph, x)
        case nn.ReLU():
            return graph.add("Relu", x)
        case nn.ReLU6():
            low, high = (graph.constant(np.float32(v), f"relu6_{v}") for v in (0, 6))
            return graph.add("Clip", x, low, high)
        case nn.MaxPool2d():
            # MindSpore's "same" adds an odd row or column of padding at the end
            shape = {"kernel_shape": [cell.kernel_size] * 2, "strides": [cell.stride] * 2}
            return graph.add("MaxPool", x, auto_pad="SAME_UPPER", **shape)
        case L2Norm():
            axes = graph.constant(np.array([1]), "channels")
            squares = graph.add("ReduceSum", graph.add("Mul", x, x), axes, keepdims=1)
            tiny = graph.constant(np.float32(L2Norm.TINY), "tiny")
            length = graph.add("Sqrt", graph.add("Add", squares, tiny))
            scale = graph.constant(cell.scale.asnumpy(), cell.scale.name)
            return graph.add("Mul", graph.add("Div", x, length), scale)
        case CaffeInput():
            scale, shift = (graph.constant(t.asnumpy()) for t in (cell.scale, cell.shift))
            return graph.add("Add", graph.add("Mul", x, scale), shift)
    raise NotImplementedError(f"{type(cell).__name__} has no translation to ONNX")
