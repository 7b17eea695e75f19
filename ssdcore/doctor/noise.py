"""A batch of noise with targets, the same on each device and in each framework."""

from typing import Any

import numpy as np

from ssdcore.geometry.feature_maps import LAYOUTS

POSITIVES = 20
"""Default boxes of each image that answer for an object."""


def noise(batch: int, size: int, classes: int, boxes: int | None = None) -> dict[str, Any]:
    """Returns images of noise with encoded targets.

    Args:
        batch: B, number of images; also the seed.
        size: S, side of the images in pixels.
        classes: number of classes, without the background.
        boxes: K, number of default boxes; None is that of the paper's network.

    Returns:
        images (B, 3, S, S), offsets (B, K, 4) and labels (B, K) by name.
    """
    rng, boxes = np.random.default_rng(batch), boxes or LAYOUTS[size].num_default_boxes
    labels = np.zeros((batch, boxes), np.int32)
    for row in labels:
        chosen = rng.choice(boxes, POSITIVES, replace=False)
        row[chosen] = rng.integers(1, classes + 1, POSITIVES)
    return {
        "images": rng.normal(size=(batch, 3, size, size)).astype(np.float32),
        "offsets": rng.normal(size=(batch, boxes, 4)).astype(np.float32),
        "labels": labels,
    }
