"""The building blocks of the network: a convolution with what follows it, L2Norm, CaffeInput."""

import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import Constant, HeNormal, initializer

from ssdcore.data.preprocess import CAFFE_MEAN_RGB, DEVIATION_RGB, MEAN_RGB
from ssdcore.models.conv import Conv2d


class ConvBlock(nn.Cell):
    """Convolution, batch norm (optional), ReLU (optional); (B, in, H, W) → (B, out, H', W').

    Args:
        channels_in: input channels.
        channels_out: output channels.
        kernel_size: side of the square kernel.
        stride: step between two outputs.
        padding: zeros on each side; -1 keeps the size at stride 1.
        dilation: distance of two taps of the kernel.
        bias: a bias for each output channel; batch norm has its own, so that it drops this one.
        batch_norm: normalise before the ReLU.
        relu: end with a ReLU.
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
    """Scales each position to unit length over its channels, times a learnt scale a channel.

    conv4_3 has another magnitude than the deeper maps; ParseNet's normalisation with scales
    that start at 20 puts it in their range (section 3.1 of the SSD paper).

    Attributes:
        TINY: keeps the length of a position without any activation from being zero.
    """

    TINY = 1e-10

    def __init__(self, channels: int, initial_scale: float = 20.0) -> None:
        super().__init__()
        self.scale = Parameter(initializer(Constant(initial_scale), (1, channels, 1, 1)))

    def construct(self, x: Tensor) -> Tensor:
        """Normalises x (B, channels, H, W)."""
        length = ops.sqrt((x * x).sum(axis=1, keepdims=True) + self.TINY)
        return x / length * self.scale


class CaffeInput(nn.Cell):
    """Turns the pipeline's input, in ImageNet's deviations, into what Caffe's VGG16 was fed.

    Images are prepared in one way; a backbone whose weights want another converts its input
    itself: values 0 … 255 less a mean, not divided.
    """

    def __init__(self) -> None:
        super().__init__()
        shift = (MEAN_RGB - CAFFE_MEAN_RGB).astype(np.float32)
        self.scale = Tensor(DEVIATION_RGB.reshape(1, 3, 1, 1))
        self.shift = Tensor(shift.reshape(1, 3, 1, 1))

    def construct(self, images: Tensor) -> Tensor:
        """Converts images (B, 3, H, W)."""
        return images * self.scale + self.shift
