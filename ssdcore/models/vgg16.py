"""VGG16 as the backbone of SSD: thirteen convolutions, then fc6 and fc7 as convolutions.

Simonyan and Zisserman, 2015, with the changes of the SSD paper, section 3 (after DeepLab): pool5
keeps the size, fc6 is dilated, and fc8 is gone.
"""

from math import ceil

from mindspore import Tensor, nn

from ssdcore.geometry.feature_maps import IMAGE_SIZE
from ssdcore.models.conv import MaxPool2d
from ssdcore.models.layers import CaffeInput, ConvBlock, Dropout, scaled_channels

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Output channels of conv1_1 … conv5_3 at width 1."""
FIRST_CELLS = {"conv1": ("conv1",), "conv4": ("conv1", "conv2", "conv3", "conv4")}
"""Names of the cells up to one of them; conv4 computes the first map."""
FC_CHANNELS = 1024
STRIDES = (8, 16)
"""Input pixels between two cells of conv4_3 and of fc7."""


class VGG16(nn.Cell):
    """The backbone: (B, 3, S, S) → conv4_3 (B, 512w, S/8, S/8) and fc7 (B, 1024w, S/16, S/16).

    `width` is w, and `input_size` S in pixels; S/8 and S/16 are rounded up. `conv_bias` adds biases
    to the convolutions, and `batch_norm` normalises after each of them. `fc_relu` adds ReLU after
    fc6 and fc7, which the tutorial's network omits; `dropout` is the share of their outputs that
    training drops. `caffe_input` converts the input to what weights from Caffe expect.
    """

    def __init__(
        self,
        width: float = 1.0,
        *,
        conv_bias: bool = True,
        batch_norm: bool = True,
        fc_relu: bool = True,
        dropout: float = 0.5,
        caffe_input: bool = False,
        input_size: int = IMAGE_SIZE,
    ) -> None:
        super().__init__()
        self.input = CaffeInput() if caffe_input else nn.Identity()
        channels = 3

        def convolutions(stage: tuple[int, ...]) -> nn.SequentialCell:
            nonlocal channels
            cells = []
            for full_channels in stage:
                channels_out = scaled_channels(full_channels, width)
                cells.append(
                    ConvBlock(channels, channels_out, 3, bias=conv_bias, batch_norm=batch_norm)
                )
                channels = channels_out
            return nn.SequentialCell(cells)

        self.conv1, self.conv2, self.conv3, self.conv4, self.conv5 = map(convolutions, STAGES)
        # "same" rounds up, so conv3's 75 cells in SSD300 become 38 as in the Caffe original
        self.pool = MaxPool2d(kernel_size=2, stride=2, pad_mode="same")
        self.pool5 = MaxPool2d(kernel_size=3, stride=1, pad_mode="same")
        fc = scaled_channels(FC_CHANNELS, width)
        style = {"bias": conv_bias, "batch_norm": batch_norm, "relu": fc_relu}
        self.fc6 = ConvBlock(channels, fc, 3, dilation=6, **style)
        self.fc7 = ConvBlock(fc, fc, 1, **style)
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.feature_sizes = tuple(ceil(input_size / stride) for stride in STRIDES)
        self.out_channels = (scaled_channels(STAGES[3][-1], width), fc)

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns conv4_3 and fc7."""
        x = self.pool(self.conv1(self.input(x)))
        x = self.pool(self.conv2(x))
        x = self.pool(self.conv3(x))
        conv4_3 = self.conv4(x)
        x = self.pool5(self.conv5(self.pool(conv4_3)))
        x = self.dropout(self.fc6(x))
        fc7 = self.dropout(self.fc7(x))
        return conv4_3, fc7
