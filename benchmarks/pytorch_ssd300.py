"""SSD300-VGG16 in plain PyTorch, the reference that our network's speed is compared with.

The paper's heads, biases, conv4_3's L2 norm and no batch norm, as in presets/coco2017.yaml. The
parameters have the same order as ours, so weights can be copied one by one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.our_ssd300 import RATE, example
from ssdcore.geometry.feature_maps import IMAGE_SIZE, LAYOUTS
from ssdcore.params.schema import TrainParams

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
FC_CHANNELS = 1024
MAPS = LAYOUTS[IMAGE_SIZE].maps
NEGATIVES_PER_POSITIVE = 3


class L2Norm(nn.Module):
    """Normalises to unit length over the channels and multiplies by a learnt scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, channels, 1, 1), 20.0))

    def forward(self, x: Tensor) -> Tensor:
        """Normalises x (B, C, H, W)."""
        return x / torch.sqrt((x * x).sum(1, keepdim=True) + 1e-10) * self.scale


class SSD300(nn.Module):
    """Images (B, 3, 300, 300) → offsets (B, 8732, 4) and class logits (B, 8732, C)."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        self.num_classes = num_classes

        def scaled(channels: int) -> int:
            return max(8, round(channels * width / 8) * 8)

        def block(before: int, after: int, side: int, **options: Any) -> list[nn.Module]:
            return [nn.Conv2d(before, after, side, **options), nn.ReLU(inplace=True)]

        stages, channels = [], 3
        for stage in STAGES:
            layers: list[nn.Module] = []
            for after in map(scaled, stage):
                layers += block(channels, after, 3, padding=1)
                channels = after
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.pool5 = nn.MaxPool2d(3, stride=1, padding=1)
        fc = scaled(FC_CHANNELS)
        self.fc = nn.Sequential(*block(channels, fc, 3, padding=6, dilation=6), *block(fc, fc, 1))
        self.l2_norm = L2Norm(channels)
        map_channels = [channels, fc]
        self.extras = nn.ModuleList()
        for narrow, wide, side, stride, padding in [m.extra for m in MAPS if m.extra]:
            self.extras.append(
                nn.Sequential(
                    *block(map_channels[-1], scaled(narrow), 1),
                    *block(scaled(narrow), scaled(wide), side, stride=stride, padding=padding),
                )
            )
            map_channels.append(scaled(wide))
        boxes = [feature_map.boxes_per_cell for feature_map in MAPS]

        def heads(values: int) -> nn.ModuleList:
            pairs = zip(map_channels, boxes, strict=True)
            return nn.ModuleList(nn.Conv2d(c, n * values, 3, padding=1) for c, n in pairs)

        self.box_heads, self.class_heads = heads(4), heads(num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns offsets and class logits."""
        conv1, conv2, conv3, conv4, conv5 = self.stages
        conv4_3 = conv4(self.pool(conv3(self.pool(conv2(self.pool(conv1(x)))))))
        x = self.fc(self.pool5(conv5(self.pool(conv4_3))))
        maps = [self.l2_norm(conv4_3), x]
        for extra in self.extras:
            x = extra(x)
            maps.append(x)

        def by_default_box(heads: nn.ModuleList, values: int) -> Tensor:
            pairs = zip(heads, maps, strict=True)
            tables = [head(y).permute(0, 2, 3, 1).flatten(1) for head, y in pairs]
            return torch.cat(tables, 1).view(len(conv4_3), -1, values)

        return by_default_box(self.box_heads, 4), by_default_box(self.class_heads, self.num_classes)


def multibox_loss(
    offsets: Tensor, logits: Tensor, targets: Tensor, labels: Tensor, min_negatives: int
) -> Tensor:
    """Returns smooth L1 of the positives plus cross-entropy of them and of the hardest negatives.

    The sum is divided by the number of positives.

    Args:
        offsets: (B, K, 4).
        logits: (B, K, C).
        targets: (B, K, 4).
        labels: (B, K) int64: 0 background, 1 … C-1 objects, -1 neither.
        min_negatives: minimum number of negatives of an image.
    """
    positive = labels > 0
    boxes = functional.smooth_l1_loss(offsets[positive], targets[positive], reduction="sum")
    each = functional.cross_entropy(logits.mT, labels, ignore_index=-1, reduction="none")
    hardness = each.detach().masked_fill(labels != 0, -1)
    rank = hardness.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    wanted = (NEGATIVES_PER_POSITIVE * positive.sum(1, keepdim=True)).clamp(min=min_negatives)
    counted = positive | ((labels == 0) & (rank < wanted))
    return (boxes + each[counted].sum()) / positive.sum().clamp(min=1)


def copied(folder: Path) -> SSD300:
    """Returns the network with the weights of weights.npz, in the order of ours."""
    with np.load(folder / "weights.npz") as file:
        arrays = [file[name] for name in file.files]
    # the first kernel has the width, the last bias the number of classes
    width = len(arrays[0]) / STAGES[0][0]
    network = SSD300(len(arrays[-1]) // MAPS[-1].boxes_per_cell, width)
    with torch.no_grad():
        for parameter, array in zip(network.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(array))
    return network


def training(folder: Path, batch: int, train: TrainParams) -> Callable[[], tuple[float]]:
    """Returns what takes a training step on a batch and returns the loss before it."""
    network = copied(folder).train()
    kernels = [p for p in network.parameters() if sum(side > 1 for side in p.shape) > 1]
    others = [p for p in network.parameters() if sum(side > 1 for side in p.shape) <= 1]
    groups = [{"params": kernels, "weight_decay": train.weight_decay}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=RATE, momentum=train.momentum)
    images, targets, labels = map(torch.from_numpy, example(batch).values())
    labels = labels.long()

    def step() -> tuple[float]:
        optimizer.zero_grad()
        offsets, logits = network(images)
        loss = multibox_loss(offsets, logits, targets, labels, train.min_negatives)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), train.clip_norm)
        optimizer.step()
        return (loss.item(),)

    return step


def inference(folder: Path, batch: int) -> Callable[[], tuple[Any, Any]]:
    """Returns what computes offsets and probabilities of a batch."""
    network = copied(folder).eval()
    images = torch.from_numpy(example(batch)["images"])

    def answer() -> tuple[Any, Any]:
        with torch.inference_mode():
            offsets, logits = network(images)
            return offsets.numpy(), logits.softmax(-1).numpy()

    return answer
