"""A training loader built as in the MindSpore SSD tutorial, as the loader's reference.

Written from the tutorial's description: MindData decodes; one Python function crops at random with
a minimum IoU, box by box, and encodes the targets, object by object; MindData varies the colours,
normalises and moves the channels first. It reads the same shards as our loader and does the same
work: the same minimum IoUs, the same ranges, the same rules for crowd regions and for windows that
fail. `benchmarks.data` compares the distributions of the crops and matches.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mindspore import dataset
from mindspore.dataset import vision

from ssdcore.data.preprocess import DEVIATION_RGB, MEAN_RGB
from ssdcore.geometry.default_boxes import corners, default_boxes
from ssdcore.geometry.feature_maps import IMAGE_SIZE

COLUMNS = ["image", "num_objects", "objects"]
MIN_IOUS = (None, 0.1, 0.3, 0.5, 0.7, 0.9, 0.0)
SMALLEST_SIDE = 0.3
LONGEST_ASPECT = 2.0
CROP_TRIES = 50
COLOUR = 0.4
DEFAULT_BOXES = default_boxes()
CORNERS = corners(DEFAULT_BOXES)
AREAS = (CORNERS[:, 2] - CORNERS[:, 0]) * (CORNERS[:, 3] - CORNERS[:, 1])


def reference_batches(shards: list[Path], batch_size: int, workers: int) -> Iterator[Any]:
    """Yields the batches of an epoch: images, offsets, labels and numbers of positives."""
    threads = {"num_parallel_workers": workers}
    rows = dataset.MindDataset([str(shard) for shard in shards], COLUMNS, shuffle=True, **threads)
    rows = rows.map(vision.Decode(), ["image"], **threads)
    rows = rows.map(prepare, COLUMNS, ["image", "offsets", "labels", "positives"], **threads)
    colour = vision.RandomColorAdjust(COLOUR, COLOUR, COLOUR)
    normalise = vision.Normalize(MEAN_RGB.tolist(), DEVIATION_RGB.tolist())
    rows = rows.map([colour, normalise, vision.HWC2CHW()], ["image"], **threads)
    rows = rows.batch(batch_size, drop_remainder=True)
    yield from rows.create_tuple_iterator(num_epochs=1, output_numpy=True)


def prepare(image: Any, num_objects: Any, objects: Any) -> tuple[Any, ...]:
    """Crops, resizes and flips an image, and encodes its boxes."""
    image, boxes = crop(image, objects[: int(num_objects)])
    image = cv2.resize(image, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_LINEAR)
    if np.random.rand() < 0.5:
        image = cv2.flip(image, 1)
        boxes = [[y1, 1 - x2, y2, 1 - x1, *rest] for y1, x1, y2, x2, *rest in boxes]
    return image, *encode(boxes)


def crop(image: Any, boxes: Any) -> tuple[Any, list[list[float]]]:
    """Crops an image at random; boxes are rows of y1 x1 y2 x2 (fractions), label, crowd flag."""
    height, width = image.shape[:2]
    for choice in np.random.permutation(len(MIN_IOUS)):
        min_iou = MIN_IOUS[choice]
        if min_iou is None:
            return image, boxes
        for _ in range(CROP_TRIES):
            h = max(1, round(np.random.uniform(SMALLEST_SIDE, 1) * height))
            w = max(1, round(np.random.uniform(SMALLEST_SIDE, 1) * width))
            if not 1 / LONGEST_ASPECT <= w / h <= LONGEST_ASPECT:
                continue
            top = np.random.randint(height - h + 1)
            left = np.random.randint(width - w + 1)
            window = (top / height, left / width, (top + h) / height, (left + w) / width)
            kept = boxes_in(window, boxes, min_iou)
            if kept is not None:
                return image[top : top + h, left : left + w], kept
    return image, boxes


def boxes_in(window: Any, boxes: list[list[float]], min_iou: float) -> list[list[float]] | None:
    """Returns the boxes that a window keeps, or None if it overlaps none of them enough."""
    low_y, low_x, high_y, high_x = window
    window_area = (high_y - low_y) * (high_x - low_x)
    kept, best, objects = [], -1.0, 0
    for y1, x1, y2, x2, label, crowd in boxes:
        top, left, bottom, right = max(y1, low_y), max(x1, low_x), min(y2, high_y), min(x2, high_x)
        shared = max(bottom - top, 0) * max(right - left, 0)
        if not crowd:
            objects += 1
            if not (low_y < (y1 + y2) / 2 < high_y and low_x < (x1 + x2) / 2 < high_x):
                continue
            best = max(best, shared / ((y2 - y1) * (x2 - x1) + window_area - shared))
        if shared > 0:
            top, bottom = (top - low_y) / (high_y - low_y), (bottom - low_y) / (high_y - low_y)
            left, right = (left - low_x) / (high_x - low_x), (right - low_x) / (high_x - low_x)
            kept.append([top, left, bottom, right, label, crowd])
    return kept if best >= min_iou or not objects else None


def encode(boxes: list[list[float]]) -> tuple[Any, Any, Any]:
    """Matches the boxes, one by one; returns offsets, labels and the number of positives."""
    best = np.zeros(len(DEFAULT_BOXES), np.float32)
    matched = np.zeros((len(DEFAULT_BOXES), 4), np.float32)
    labels = np.zeros(len(DEFAULT_BOXES), np.int64)
    ignored = np.zeros(len(DEFAULT_BOXES), bool)
    for *box, label, crowd in boxes:
        if crowd:
            visible = np.clip(CORNERS, 0, 1)
            sizes = visible[:, 2:] - visible[:, :2]
            ignored |= shared_areas(box, visible) > 0.5 * sizes[:, 0] * sizes[:, 1]
            continue
        shared = shared_areas(box, CORNERS)
        overlap = shared / (AREAS + (box[2] - box[0]) * (box[3] - box[1]) - shared)
        overlap[overlap.argmax()] = 2
        mine = (overlap > 0.5) & (overlap > best)
        best = np.maximum(best, overlap * mine)
        labels = mine * int(label) + (1 - mine) * labels
        for side in range(4):
            matched[:, side] = mine * box[side] + (1 - mine) * matched[:, side]
    offsets = np.zeros((len(DEFAULT_BOXES), 4), np.float32)
    (positive,) = np.nonzero(labels)
    at, table = matched[positive], DEFAULT_BOXES[positive]
    offsets[positive, :2] = ((at[:, :2] + at[:, 2:]) / 2 - table[:, :2]) / (0.1 * table[:, 2:])
    sizes = np.maximum((at[:, 2:] - at[:, :2]) / table[:, 2:], 1e-6)
    offsets[positive, 2:] = np.log(sizes) / 0.2
    labels[ignored & (labels == 0)] = -1
    return offsets, labels.astype(np.int32), np.array([len(positive)], np.int32)


def shared_areas(box: list[float], corners_yxyx: Any) -> Any:
    """Returns the area that a box shares with each of the corners (K, 4)."""
    y1, x1 = np.maximum(corners_yxyx[:, 0], box[0]), np.maximum(corners_yxyx[:, 1], box[1])
    y2, x2 = np.minimum(corners_yxyx[:, 2], box[2]), np.minimum(corners_yxyx[:, 3], box[3])
    return np.maximum(y2 - y1, 0) * np.maximum(x2 - x1, 0)
