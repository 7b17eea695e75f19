"""A training loader the way the MindSpore SSD tutorial builds one, to compare with.

Written from its description: MindData decodes; one Python function crops by chance with a least
IoU, box by box, and encodes the targets, ground truth by ground truth; MindData varies the
colours, normalises and puts the channels first. It reads the same shards as ours.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mindspore import dataset
from mindspore.dataset import vision

from ssdcore.data.preprocess import DEVIATION_RGB, MEAN_RGB
from ssdcore.geometry.default_boxes import IMAGE_SIZE, corners, default_boxes

COLUMNS = ["image", "num_objects", "objects"]
MIN_IOUS = (None, 0.1, 0.3, 0.5, 0.7, 0.9)
CROP_TRIES = 50
COLOUR = 0.4
TABLE = default_boxes()
CORNERS = corners(TABLE)
AREAS = (CORNERS[:, 2] - CORNERS[:, 0]) * (CORNERS[:, 3] - CORNERS[:, 1])


def reference_batches(shards: list[Path], batch_size: int, workers: int) -> Iterator[Any]:
    """Yields an epoch of image, offsets, labels and number of positives."""
    rows = dataset.MindDataset(
        [str(shard) for shard in shards], COLUMNS, shuffle=True, num_parallel_workers=workers
    )
    rows = rows.map(vision.Decode(), ["image"], num_parallel_workers=workers)
    rows = rows.map(
        prepare,
        COLUMNS,
        ["image", "offsets", "labels", "positives"],
        num_parallel_workers=workers,
    )
    colour = vision.RandomColorAdjust(COLOUR, COLOUR, COLOUR)
    normalise = vision.Normalize(MEAN_RGB.tolist(), DEVIATION_RGB.tolist())
    rows = rows.map([colour, normalise, vision.HWC2CHW()], ["image"], num_parallel_workers=workers)
    rows = rows.batch(batch_size, drop_remainder=True)
    yield from rows.create_tuple_iterator(num_epochs=1, output_numpy=True)


def prepare(image: Any, num_objects: Any, objects: Any) -> tuple[Any, ...]:
    boxes = objects[: int(num_objects), :5].copy()  # y1 x1 y2 x2 fractions, label
    image, boxes = crop(image, boxes)
    image = cv2.resize(image, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_LINEAR)
    if np.random.rand() < 0.5:
        image = cv2.flip(image, 1)
        boxes[:, [1, 3]] = 1 - boxes[:, [3, 1]]
    return image, *encode(boxes)


def crop(image: Any, boxes: Any) -> tuple[Any, Any]:
    height, width = image.shape[:2]
    min_iou = MIN_IOUS[np.random.randint(len(MIN_IOUS))]
    if min_iou is None:
        return image, boxes
    for _ in range(CROP_TRIES):
        h, w = np.random.uniform(0.3, 1.0) * height, np.random.uniform(0.3, 1.0) * width
        if not 0.5 <= h / w <= 2:
            continue
        top, left = np.random.rand() * (height - h), np.random.rand() * (width - w)
        window = np.array([top / height, left / width, (top + h) / height, (left + w) / width])
        inside, best = [], 0.0
        for box in boxes:
            low, high = np.maximum(box[:2], window[:2]), np.minimum(box[2:4], window[2:])
            shared = np.prod(np.maximum(high - low, 0))
            union = np.prod(box[2:4] - box[:2]) + np.prod(window[2:] - window[:2]) - shared
            best = max(best, shared / union)
            centre = (box[:2] + box[2:4]) / 2
            if (centre > window[:2]).all() and (centre < window[2:]).all():
                inside.append(np.concatenate([low, high, box[4:]]))
        if best < min_iou or not inside:
            continue
        kept = np.array(inside, np.float32)
        kept[:, [0, 2]] = (kept[:, [0, 2]] - window[0]) / (window[2] - window[0])
        kept[:, [1, 3]] = (kept[:, [1, 3]] - window[1]) / (window[3] - window[1])
        return image[int(top) : int(top + h), int(left) : int(left + w)], kept
    return image, boxes


def encode(boxes: Any) -> tuple[Any, Any, Any]:
    best = np.zeros(len(TABLE), np.float32)
    matched = np.zeros((len(TABLE), 4), np.float32)
    labels = np.zeros(len(TABLE), np.int32)
    for box in boxes:
        y1, x1 = np.maximum(CORNERS[:, 0], box[0]), np.maximum(CORNERS[:, 1], box[1])
        y2, x2 = np.minimum(CORNERS[:, 2], box[2]), np.minimum(CORNERS[:, 3], box[3])
        shared = np.maximum(y2 - y1, 0) * np.maximum(x2 - x1, 0)
        overlap = shared / (AREAS + (box[2] - box[0]) * (box[3] - box[1]) - shared)
        overlap[overlap.argmax()] = 2
        mine = (overlap > 0.5) & (overlap > best)
        best = np.maximum(best, overlap)
        labels = mine * int(box[4]) + ~mine * labels
        for side in range(4):
            matched[:, side] = mine * box[side] + ~mine * matched[:, side]
    offsets = np.zeros((len(TABLE), 4), np.float32)
    (positive,) = np.nonzero(labels)
    at, table = matched[positive], TABLE[positive]
    offsets[positive, :2] = ((at[:, :2] + at[:, 2:]) / 2 - table[:, :2]) / (0.1 * table[:, 2:])
    sizes = np.maximum((at[:, 2:] - at[:, :2]) / table[:, 2:], 1e-6)
    offsets[positive, 2:] = np.log(sizes) / 0.2
    return offsets, labels.astype(np.int32), np.array([len(positive)], np.int32)
