"""The MindSpore SSD tutorial's network, written a second time, in NumPy and float64.

It shares no code with `ssdcore.nn` and takes its numbers from the tutorial's description alone,
so that the two agree only where both are right. A convolution is a sum over the kernel's taps
of one matrix product each.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = dict[str, Array]

VGG16 = (
    ("conv1_1", 3, 64), ("conv1_2", 64, 64),
    ("conv2_1", 64, 128), ("conv2_2", 128, 128),
    ("conv3_1", 128, 256), ("conv3_2", 256, 256), ("conv3_3", 256, 256),
    ("conv4_1", 256, 512), ("conv4_2", 512, 512), ("conv4_3", 512, 512),
    ("conv5_1", 512, 512), ("conv5_2", 512, 512), ("conv5_3", 512, 512),
)  # fmt: skip
POOLED_AFTER = ("conv1_2", "conv2_2", "conv3_3", "conv4_3")
EXTRAS = (  # name, channels in, channels out, kernel, stride, padding
    ("conv8_1", 1024, 256, 1, 1, 0), ("conv8_2", 256, 512, 3, 2, 1),
    ("conv9_1", 512, 128, 1, 1, 0), ("conv9_2", 128, 256, 3, 2, 1),
    ("conv10_1", 256, 128, 1, 1, 0), ("conv10_2", 128, 256, 3, 1, 0),
    ("conv11_1", 256, 128, 1, 1, 0), ("conv11_2", 128, 256, 3, 1, 0),
)  # fmt: skip
MAPS = (  # name, channels, default boxes a cell
    ("conv4_3", 512, 4), ("fc7", 1024, 6), ("conv8_2", 512, 6),
    ("conv9_2", 256, 6), ("conv10_2", 256, 4), ("conv11_2", 256, 4),
)  # fmt: skip


def weight_shapes(num_classes: int, width: float) -> dict[str, tuple[int, ...]]:
    """Returns the name and the shape of every weight and every batch-norm statistic."""

    def scaled(channels: int) -> int:
        assert (channels * width).is_integer()
        return int(channels * width)

    convolutions = [(name, into, out, 3) for name, into, out in VGG16]
    convolutions += [("fc6", 512, 1024, 3), ("fc7", 1024, 1024, 1)]
    convolutions += [(name, into, out, kernel) for name, into, out, kernel, _, _ in EXTRAS]
    shapes: dict[str, tuple[int, ...]] = {}
    for name, into, out, kernel in convolutions:
        shapes[name] = (scaled(out), into if into == 3 else scaled(into), kernel, kernel)
    for name, channels, boxes in MAPS:
        for kind, values in (("box", 4), ("class", num_classes)):
            head, inner = f"{name}/{kind}", scaled(channels)
            shapes[f"{head}/depthwise"] = (inner, 1, 3, 3)
            for statistic in ("gamma", "beta", "mean", "variance"):
                shapes[f"{head}/{statistic}"] = (inner,)
            shapes[f"{head}/pointwise"] = (boxes * values, inner, 1, 1)
            shapes[f"{head}/bias"] = (boxes * values,)
    return shapes


def tutorial_network(images: Array, weights: Weights, num_classes: int) -> tuple[Array, Array]:
    """Returns offsets (B, 8732, 4) and class logits (B, 8732, C) of images (B, 3, 300, 300)."""
    x = images
    maps = {}
    for name, _, _ in VGG16:
        x = np.maximum(convolution(x, weights[name], padding=1), 0)
        maps[name] = x
        if name in POOLED_AFTER:
            x = pool_by_two(x)
    x = pool5(x)
    x = convolution(x, weights["fc6"], padding=6, dilation=6)
    x = maps["fc7"] = convolution(x, weights["fc7"])
    for name, _, _, _, stride, padding in EXTRAS:
        x = maps[name] = convolution(x, weights[name], stride=stride, padding=padding)
    outputs = []
    for kind, values in (("box", 4), ("class", num_classes)):
        heads = [head(maps[name], weights, f"{name}/{kind}") for name, _, _ in MAPS]
        by_box = [h.transpose(0, 2, 3, 1).reshape(len(images), -1, values) for h in heads]
        outputs.append(np.concatenate(by_box, axis=1))
    offsets, logits = outputs
    return offsets, logits


def head(x: Array, weights: Weights, name: str) -> Array:
    """Depthwise 3×3, batch norm, ReLU6, and a 1×1 convolution with bias."""

    def each_channel(weight: str) -> Array:
        return weights[f"{name}/{weight}"][:, None, None]

    x = depthwise(x, weights[f"{name}/depthwise"])
    x = (x - each_channel("mean")) / np.sqrt(each_channel("variance") + 1e-3)
    x = x * each_channel("gamma") + each_channel("beta")
    x = np.clip(x, 0, 6)
    return convolution(x, weights[f"{name}/pointwise"]) + each_channel("bias")


def convolution(
    x: Array, weight: Array, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Array:
    """Convolves x (B, I, H, W) with weight (O, I, k, k)."""
    result = 0.0
    for i, j, seen in taps(x, weight.shape[-1], stride, padding, dilation):
        batch, channels, height, width = seen.shape
        # contiguous, without which NumPy multiplies without BLAS
        matrix = np.ascontiguousarray(weight[:, :, i, j])
        product = matrix @ seen.reshape(batch, channels, height * width)
        result = result + product.reshape(batch, -1, height, width)
    return result


def depthwise(x: Array, weight: Array) -> Array:
    """Convolves each channel of x (B, I, H, W) with its own kernel of weight (I, 1, 3, 3)."""
    return sum(weight[:, 0, i, j, None, None] * seen for i, j, seen in taps(x, 3, padding=1))


def taps(x: Array, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1):
    """Yields row and column of each tap of a kernel, and what it sees of zero-padded x."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    reach = dilation * (kernel - 1)
    height, width = x.shape[2] - reach, x.shape[3] - reach
    for i in range(kernel):
        for j in range(kernel):
            top, left = i * dilation, j * dilation
            yield i, j, x[:, :, top : top + height : stride, left : left + width : stride]


def pool_by_two(x: Array) -> Array:
    """Largest of each 2×2 square; an odd last row and column stay, as squares cut short."""
    batch, channels, height, width = x.shape
    odd = ((0, 0), (0, 0), (0, height % 2), (0, width % 2))
    x = np.pad(x, odd, constant_values=-np.inf)
    squares = x.reshape(batch, channels, x.shape[2] // 2, 2, x.shape[3] // 2, 2)
    return squares.max(axis=(3, 5))


def pool5(x: Array) -> Array:
    """Largest of the 3×3 neighbourhood of each cell."""
    height, width = x.shape[2:]
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    shifted = [x[:, :, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.maximum.reduce(shifted)
