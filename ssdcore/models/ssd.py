"""SSD: a backbone, the extra blocks and the heads (figure 2 of the SSD paper)."""

from collections.abc import Sequence
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import HeNormal, Normal
from numpy.typing import NDArray

from ssdcore.geometry.feature_maps import IMAGE_SIZE, LAYOUTS, Extra, MapLayout
from ssdcore.models.conv import Conv2d
from ssdcore.models.layers import ConvBlock, L2Norm, scaled_channels
from ssdcore.models.vgg16 import VGG16
from ssdcore.params.types import Head, Normalisation

HEAD_DEVIATION = 0.01
"""Standard deviation of a predictor's initial weights: small, so the biases dominate at first."""


class ExtraBlock(nn.Cell):
    """A 1×1 bottleneck and the convolution that computes the next, coarser map.

    `width` is a factor on their channels; the `style` is that of `ConvBlock`.
    """

    def __init__(self, channels_in: int, extra: Extra, width: float, **style: Any) -> None:
        super().__init__()
        reduced = scaled_channels(extra.reduced, width)
        self.out_channels = scaled_channels(extra.channels, width)
        self.reduce = ConvBlock(channels_in, reduced, 1, **style)
        self.expand = ConvBlock(
            reduced, self.out_channels, extra.kernel_size, stride=extra.stride,
            padding=extra.padding, **style,
        )  # fmt: skip

    def construct(self, x: Tensor) -> Tensor:
        """Applies both convolutions."""
        return self.expand(self.reduce(x))


def _head(kind: Head, channels_in: int, channels_out: int, bias: Any) -> nn.Cell:
    """Returns a predictor of `channels_out` values per cell; `bias` is its initial bias."""
    start = {"has_bias": True, "bias_init": bias, "weight_init": Normal(HEAD_DEVIATION)}
    if kind == "conv":
        return Conv2d(channels_in, channels_out, 3, pad_mode="pad", padding=1, **start)
    return nn.SequentialCell(
        nn.Conv2d(
            channels_in, channels_in, 3, pad_mode="pad", padding=1, group=channels_in,
            weight_init=HeNormal(nonlinearity="relu"),
        ),
        nn.BatchNorm2d(channels_in, eps=1e-3, momentum=0.97),
        nn.ReLU6(),
        nn.Conv2d(channels_in, channels_out, 1, **start),
    )  # fmt: skip


class SSD(nn.Cell):
    """The detector: (B, 3, S, S) → offsets (B, K, 4) and class logits (B, K, C).

    The outputs have the order of `default_boxes`: both follow from the layout of the maps.

    A backbone is a Cell that maps (B, 3, S, S) to the first feature maps, finest first. Its
    attributes `out_channels` and `feature_sizes` hold the channels and the side of each; the
    extra blocks compute the remaining maps.

    Args:
        num_classes: C, including the background (class 0).
        width: factor on every channel count of VGG16 and the extra blocks.
        head: "conv", one 3×3 convolution for each output as in the paper, or "separable", the
            tutorial's depthwise 3×3, batch norm, ReLU6 and 1×1.
        batch_norm: use batch norm in VGG16 and the extra blocks.
        extra_relu: add ReLU after fc6, fc7 and every convolution of the extra blocks.
        l2_norm: L2-normalise the first map, with a learnt scale.
        conv_bias: use biases in the convolutions of VGG16 and the extra blocks.
        dropout: share of fc6's and fc7's outputs that training drops.
        normalisation: of the input that the weights of VGG16 expect. The network always receives
            ImageNet's; for "caffe" it converts.
        class_bias: (C,) initial bias of each default box's class logits, zeros if None.
        backbone: computes the first feature maps; None builds VGG16 from the other arguments.
        input_size: S in pixels, one of `LAYOUTS`.
        aspect_ratios: of each map's default boxes besides squares; None is the paper's.

    Raises:
        ValueError: the backbone's maps are not the first of the layout.
    """

    def __init__(
        self,
        num_classes: int,
        width: float = 1.0,
        head: Head = "conv",
        batch_norm: bool = True,
        *,
        extra_relu: bool = True,
        l2_norm: bool = True,
        conv_bias: bool = True,
        dropout: float = 0.5,
        normalisation: Normalisation = "imagenet",
        class_bias: NDArray[np.float32] | None = None,
        backbone: nn.Cell | None = None,
        input_size: int = IMAGE_SIZE,
        aspect_ratios: Sequence[Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.input_size = input_size
        self.layout: MapLayout = LAYOUTS[input_size].with_aspect_ratios(aspect_ratios)
        if backbone is None:
            backbone = VGG16(
                width,
                conv_bias=conv_bias,
                batch_norm=batch_norm,
                fc_relu=extra_relu,
                dropout=dropout,
                caffe_input=normalisation == "caffe",
                input_size=input_size,
            )
        _require_sizes(self.layout, backbone.feature_sizes)
        channels = list(backbone.out_channels)
        self.backbone = backbone
        self.l2_norm = L2Norm(channels[0]) if l2_norm else nn.Identity()

        style = {"bias": conv_bias, "batch_norm": batch_norm, "relu": extra_relu}
        extras = []
        for feature_map in self.layout.maps[len(channels) :]:
            assert feature_map.extra  # the backbone has the maps without
            extras.append(ExtraBlock(channels[-1], feature_map.extra, width, **style))
            channels.append(extras[-1].out_channels)
        self.extras = nn.CellList(extras)

        cell_bias = np.zeros(num_classes) if class_bias is None else class_bias
        box_heads, class_heads = [], []
        for feature_map, channels_in in zip(self.layout.maps, channels, strict=True):
            boxes = feature_map.boxes_per_cell
            bias = Tensor(np.tile(cell_bias, boxes).astype(np.float32))
            box_heads.append(_head(head, channels_in, boxes * 4, "zeros"))
            class_heads.append(_head(head, channels_in, boxes * num_classes, bias))
        self.box_heads, self.class_heads = nn.CellList(box_heads), nn.CellList(class_heads)

    def construct(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns offsets and class logits, float32."""
        maps = self.backbone(images)
        x = maps[-1]
        maps = (self.l2_norm(maps[0]), *maps[1:])
        for extra in self.extras:
            x = extra(x)
            maps = (*maps, x)
        offsets, logits = [], []
        for i in range(len(maps)):
            offsets.append(_by_default_box(self.box_heads[i](maps[i]), 4))
            logits.append(_by_default_box(self.class_heads[i](maps[i]), self.num_classes))
        # mixed precision computes in float16 up to here
        return (
            ops.cast(ops.concat(offsets, 1), ms.float32),
            ops.cast(ops.concat(logits, 1), ms.float32),
        )


def class_predictors(network: SSD) -> list[nn.Conv2d]:
    """Returns each map's convolution whose outputs are the class logits.

    Its rows are ordered by default box of a cell, then by class.
    """
    heads = network.class_heads
    return [head if isinstance(head, nn.Conv2d) else head[-1] for head in heads]


def _by_default_box(x: Tensor, values: int) -> Tensor:
    """Reorders a head's (B, boxes · values, H, W) to (B, H · W · boxes, values)."""
    x = ops.transpose(x, (0, 2, 3, 1))
    return ops.reshape(x, (x.shape[0], -1, values))


def _require_sizes(layout: MapLayout, sizes: Sequence[int]) -> None:
    """Raises ValueError unless a backbone's map sizes are the first of the layout."""
    expected = tuple(feature_map.size for feature_map in layout.maps)
    fewest = sum(feature_map.extra is None for feature_map in layout.maps)
    if len(sizes) < fewest or tuple(sizes) != expected[: len(sizes)]:
        raise ValueError(f"backbone maps of sizes {tuple(sizes)}, expected the first of {expected}")
