"""A detector of a few values, for tests of what happens around a network."""

import numpy as np
from mindspore import nn, ops

from ssdcore.data.loader import TrainingBatch

BOXES = 12
NUM_CLASSES = 3
SIDE = 4


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
