"""Detectors of a few values, for tests of what happens around a network."""

import numpy as np
from mindspore import nn, ops

from ssdcore.data.loader import TrainingBatch
from ssdcore.geometry.feature_maps import IMAGE_SIZE, LAYOUTS
from ssdcore.models.layers import Dropout
from ssdcore.params.schema import ModelParams
from ssdcore.params.types import LossName

BOXES = 12
NUM_CLASSES = 3
SIDE = 4
BOXES_300 = LAYOUTS[IMAGE_SIZE].num_default_boxes


class TinyDetector(nn.Cell):
    """Images (B, 3, 4, 4) → offsets (B, 12, 4) and class logits (B, 12, 3)."""

    def __init__(self, batch_norm: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, has_bias=not batch_norm)
        self.norm = nn.BatchNorm2d(5) if batch_norm else nn.Identity()
        self.offsets = nn.Dense(5 * SIDE * SIDE, BOXES * 4)
        self.logits = nn.Dense(5 * SIDE * SIDE, BOXES * NUM_CLASSES)

    def construct(self, images):
        x = ops.relu(self.norm(self.conv(images))).reshape(images.shape[0], -1)
        return (
            self.offsets(x).reshape(-1, BOXES, 4),
            self.logits(x).reshape(-1, BOXES, NUM_CLASSES),
        )


class TinySSD(nn.Cell):
    """Images (B, 3, 300, 300) → offsets (B, 8732, 4) and class logits (B, 8732, C).

    Has all kinds of state that the SSD has, and compiles in a tenth of the time.
    """

    input_size = IMAGE_SIZE

    def __init__(self, num_classes: int, batch_norm: bool, dropout: float) -> None:
        super().__init__()
        self.num_classes = num_classes
        conv = nn.Conv2d(3, 4, 6, stride=6, pad_mode="valid", has_bias=not batch_norm)
        self.backbone = nn.SequentialCell(conv, nn.BatchNorm2d(4) if batch_norm else nn.Identity())
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.hidden = nn.Dense(1, 8, activation="tanh")
        self.offsets, self.logits = nn.Dense(8, 4), nn.Dense(8, num_classes)

    def construct(self, images):
        cells = self.dropout(self.backbone(images)).reshape(images.shape[0], -1)
        x = self.hidden(cells[:, :BOXES_300].reshape(-1, BOXES_300, 1))
        return self.offsets(x), self.logits(x)


def build_tiny(model: ModelParams, num_foreground: int, loss: LossName) -> TinySSD:
    """Stands for `ssdcore.models.checkpoint.build_network`."""
    return TinySSD(num_foreground + 1, model.batch_norm, model.dropout)


def tiny_batch(count: int, positives: int, rng: np.random.Generator) -> TrainingBatch:
    """`count` images of noise, `positives` objects in each."""
    labels = np.zeros((count, BOXES), np.int32)
    for row in labels:
        where = rng.choice(BOXES, positives, replace=False)
        row[where] = rng.integers(1, NUM_CLASSES, positives)
    return TrainingBatch(
        np.arange(count),
        rng.normal(size=(count, 3, SIDE, SIDE)).astype(np.float32),
        rng.normal(size=(count, BOXES, 4)).astype(np.float32),
        labels,
    )
