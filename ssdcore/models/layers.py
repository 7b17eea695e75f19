"""The building blocks of the network: ConvBlock, L2Norm, CaffeInput and Dropout."""

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Constant, HeNormal, initializer

from ssdcore.data.preprocess import CAFFE_MEAN_RGB, DEVIATION_RGB, MEAN_RGB
from ssdcore.models.conv import Conv2d

CHANNEL_STEP = 8
"""Scaled channel counts are multiples of this, which suits the convolution kernels."""

MURMUR_STEPS = ((16, -2048144789), (13, -1028477387), (16, 1))
"""Shifts and multipliers of MurmurHash3's finaliser (0x85EBCA6B and 0xC2B2AE35 as int32)."""
GOLDEN = -1640531527
"""2³² divided by the golden ratio: spreads calls and seeds over all integers."""
STREAM = 0x632BE5AB
"""Number per process in the seed; odd and not `GOLDEN`, so no two processes share a mask."""
MASK_BITS = 24
"""Bits of each hash that are compared with the threshold; float32 holds as many exactly."""


def scaled_channels(channels: int, width: float) -> int:
    """Returns `channels` at `width`, a multiple of 8 and at least 8."""
    return max(CHANNEL_STEP, round(channels * width / CHANNEL_STEP) * CHANNEL_STEP)


class ConvBlock(nn.Cell):
    """Convolution, batch norm (optional), ReLU (optional); (B, in, H, W) → (B, out, H', W').

    A padding of -1 keeps the size at stride 1. Batch norm replaces the biases.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = -1,
        dilation: int = 1,
        bias: bool,
        batch_norm: bool,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.conv = Conv2d(
            channels_in,
            channels_out,
            kernel_size,
            stride=stride,
            pad_mode="pad",
            padding=dilation * (kernel_size // 2) if padding < 0 else padding,
            dilation=dilation,
            has_bias=bias and not batch_norm,
            weight_init=HeNormal(mode="fan_in", nonlinearity="relu"),
            bias_init="zeros",
        )
        self.norm = nn.BatchNorm2d(channels_out) if batch_norm else nn.Identity()
        self.activation = nn.ReLU() if relu else nn.Identity()

    def construct(self, x: Tensor) -> Tensor:
        """Applies the block."""
        return self.activation(self.norm(self.conv(x)))


class L2Norm(nn.Cell):
    """Scales each position to unit length over its channels, times a learnt scale per channel.

    conv4_3 has another magnitude than the deeper maps; ParseNet's normalisation with scales
    that start at 20 brings it into their range (section 3.1 of the SSD paper).
    """

    INITIAL_SCALE = 20.0
    TINY = 1e-10  # keeps the length of a position without activations above zero

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = Parameter(initializer(Constant(self.INITIAL_SCALE), (1, channels, 1, 1)))

    def construct(self, x: Tensor) -> Tensor:
        """Normalises x (B, channels, H, W)."""
        wide = ops.cast(x, ms.float32)  # squares of float16 overflow, and lose TINY
        length = ops.sqrt((wide * wide).sum(axis=1, keepdims=True) + self.TINY)
        return x / length * self.scale


class CaffeInput(nn.Cell):
    """Converts images normalised with ImageNet's mean and deviation to the input of Caffe's VGG16.

    Caffe's weights expect values 0 … 255 less a mean, not divided. The images are prepared in
    one way; a backbone with other needs converts its input itself.
    """

    def __init__(self) -> None:
        super().__init__()
        shift = (MEAN_RGB - CAFFE_MEAN_RGB).astype(np.float32)
        self.scale = Tensor(DEVIATION_RGB.reshape(1, 3, 1, 1))
        self.shift = Tensor(shift.reshape(1, 3, 1, 1))

    def construct(self, images: Tensor) -> Tensor:
        """Converts images (B, 3, H, W)."""
        return images * self.scale + self.shift


class Dropout(nn.Cell):
    """Sets a share `p` of the values to zero in training, and scales the others to the same mean.

    The mask of value i in call t is a hash of (seed, t, i). MindSpore's own dropout draws from a
    generator inside the kernel, which cannot be read or set, so that a resumed training would
    drop other values. Here the number of calls is a parameter: saving and loading it continues
    with the next mask.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.kept = 1 - p
        self.threshold = round(self.kept * 2**MASK_BITS)
        self.set_stream(0)
        self.calls = Parameter(Tensor(0, ms.int32), name="calls", requires_grad=False)

    def set_stream(self, number: int) -> None:
        """Selects the masks of process `number` of a group; call it before the first step."""
        self.seed = Tensor(((ms.get_seed() or 0) * GOLDEN + number * STREAM) % 2**31, ms.int32)

    def construct(self, x: Tensor) -> Tensor:
        """Drops values of x, of any shape."""
        if not self.training:
            return x
        ops.assign_add(self.calls, Tensor(1, ms.int32))
        bits = ops.arange(x.size).astype(ms.int32) + self.calls * GOLDEN
        bits = ops.bitwise_xor(bits, self.seed)
        for shift, multiplier in MURMUR_STEPS:
            high = ops.bitwise_right_shift(bits, Tensor(shift, ms.int32))
            bits = ops.bitwise_xor(bits, high) * Tensor(multiplier, ms.int32)
        kept = ops.bitwise_and(bits, Tensor(2**MASK_BITS - 1, ms.int32)) < self.threshold
        return ops.where(kept.reshape(x.shape), x / self.kept, ops.zeros_like(x))
