"""Images whose pixels tell where they were, and boxes painted in their label's colour."""

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.boxes import Objects
from ssdcore.data.sample import Sample

COLOURS = {1: (255, 0, 0), 2: (0, 255, 0), 3: (0, 0, 255)}
GREY = 128
NOTHING = Objects(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, bool))


def objects(
    boxes_yxyx: list[list[float]], labels: list[int], crowd: list[bool] | None = None
) -> Objects:
    """What a list for each attribute says."""
    return Objects(
        np.array(boxes_yxyx, np.float32).reshape(-1, 4),
        np.array(labels, np.int32),
        np.array(crowd or [False] * len(labels), bool),
    )


def painted(rng: np.random.Generator, height: int = 80, width: int = 120) -> Sample:
    """Three rectangles side by side on grey, 8 pixels a side or more, labels in random order."""
    rgb = np.full((height, width, 3), GREY, np.uint8)
    boxes, labels = [], (1 + rng.permutation(3)).tolist()
    for column, label in enumerate(labels):
        box_height, box_width = rng.integers(8, height // 2), rng.integers(8, width // 3)
        y1 = int(rng.integers(height - box_height + 1))
        x1 = column * (width // 3) + int(rng.integers(width // 3 - box_width + 1))
        y2, x2 = y1 + box_height, x1 + box_width
        rgb[y1:y2, x1:x2] = COLOURS[label]
        boxes.append([y1 / height, x1 / width, y2 / height, x2 / width])
    return Sample(rgb, objects(boxes, labels))


def extent_px(rgb: NDArray[np.uint8], label: int) -> list[int]:
    """Where a label's colour is to be seen: y1 x1 y2 x2 in pixels, edges half faded included."""
    colour = rgb.astype(int) @ (np.array(COLOURS[label]) / 255)
    others = (rgb * (np.array(COLOURS[label]) == 0)).max(axis=2)
    rows, columns = np.nonzero(colour - others >= GREY)
    return [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]


def numbered(height: int, width: int) -> NDArray[np.uint8]:
    """An image in which each pixel holds its row and its column; sides of up to 256."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 0], rgb[..., 1] = np.mgrid[:height, :width]
    return rgb
