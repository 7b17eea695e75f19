"""Outputs of a trained SSD300 for images like COCO's, simulated instead of computed.

An image has as many objects, of as few classes, as COCO's have on average. A default box that
overlaps an object gets a high logit for its class, higher where it fits better, and lower logits
for similar classes. The others get background, and a few of them a random class. The strengths are
set so that an object causes as many scores above each threshold as an object of the demo does with
the network that `make demo` trains: `sparsity` counts both.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.box_coder import encode
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import corners, default_boxes
from ssdcore.geometry.iou import iou

CLASSES = 81
OBJECTS = 7.3
"""Mean number in an image of COCO 2017: 860,001 boxes in 118,287 images."""
SHOWN, SIMILAR = 3, 20
"""Classes of an image (2.9 in COCO), and classes that are confused with each other."""
DEFAULT_BOXES = default_boxes()
CORNERS = np.clip(corners(DEFAULT_BOXES), 0, 1)
NEAR = 0.25
"""IoU with an object from which a default box detects something of it."""
OWN, OTHERS, SPREAD = 2.2, (4.5, 3.5, 2.5, 1.5), 1.5
OWN_GAIN, OTHERS_GAIN = 10.0, 6.0
"""Mean logits of an object's class and of others at NEAR, their deviation, the gain at IoU 1."""
BACKGROUND = 11.0
NOISY, NOISE, NOISE_SPREAD = 700, 6.9, 0.7
"""Default boxes with a random class, mean and deviation of its logit."""
DEMO_OBJECTS = 3.58
DEMO = {0.01: (684, 394), 0.1: (125, 94), 0.5: (30, 30)}
"""Of the demo's network, by image: scores from each threshold on, and default boxes with any."""


class Output(NamedTuple):
    """The network's output for one image, and the image's ground truth.

    Attributes:
        offsets: (8732, 4) float32.
        probabilities: (8732, 81) float32 of softmax; background in column 0.
        boxes_yxyx: (N, 4) of the objects, fractions.
        labels: (N,) their classes, 1 … 80.
    """

    offsets: Boxes
    probabilities: Boxes
    boxes_yxyx: Boxes
    labels: NDArray[np.intp]


def output(image: int, seed: int = 1) -> Output:
    """Returns the output for an image, always the same."""
    rng = np.random.default_rng((seed, image))
    offsets = rng.standard_normal(DEFAULT_BOXES.shape, np.float32)
    logits = rng.standard_normal((len(DEFAULT_BOXES), CLASSES), np.float32)
    logits[:, 0] += BACKGROUND
    classes = rng.permutation(np.arange(1, CLASSES))
    noisy = rng.choice(len(DEFAULT_BOXES), NOISY, replace=False)
    logits[noisy, rng.choice(classes[:SIMILAR], NOISY)] += rng.normal(NOISE, NOISE_SPREAD, NOISY)
    boxes = objects(rng)
    labels = rng.choice(classes[:SHOWN], len(boxes))
    for box, label in zip(boxes, labels, strict=True):
        overlap = iou(CORNERS, box)
        near = np.flatnonzero(overlap > NEAR)
        fit = (overlap[near] - NEAR) / (1 - NEAR)
        logits[near, label] += rng.normal(OWN + OWN_GAIN * fit, SPREAD)
        others = rng.choice(classes[SHOWN:SIMILAR], len(OTHERS), replace=False)
        for strength, other in zip(OTHERS, others, strict=True):
            logits[near, other] += rng.normal(strength + OTHERS_GAIN * fit, SPREAD)
        jitter = rng.normal(0, 0.5, (len(near), 4)) * (1.2 - fit[:, None])
        offsets[near] = encode(box, DEFAULT_BOXES[near]) + jitter
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return Output(offsets, probabilities, boxes, labels)


def objects(rng: np.random.Generator) -> Boxes:
    """Returns random boxes (N, 4) y1 x1 y2 x2, most of them small as in COCO; N may be 0."""
    count = rng.poisson(OBJECTS)
    sides = np.clip(np.exp(rng.normal(-1.6, 0.8, (count, 1))), 0.03, 0.95)
    aspects = np.exp(rng.normal(0, 0.4, (count, 1)))
    sizes = np.clip(np.concatenate([sides * aspects, sides / aspects], axis=1), 0.02, 1)
    low = rng.random((count, 2)) * (1 - sizes)
    return np.concatenate([low, low + sizes], axis=1).astype(np.float32)


def batches(images: int, batch_size: int) -> Iterator[list[Output]]:
    """Yields the outputs for so many images; no more than a batch is in memory."""
    for start in range(0, images, batch_size):
        yield [output(image) for image in range(start, min(start + batch_size, images))]


def sparsity(tables: Sequence[Boxes]) -> dict[float, tuple[float, float]]:
    """Counts what `DEMO` has, for the scores (8732, C) of each of some images."""
    counts = {}
    for threshold in DEMO:
        above = [table[:, 1:] >= threshold for table in tables]
        scores, rows = sum(a.sum() for a in above), sum(a.any(axis=1).sum() for a in above)
        counts[threshold] = (float(scores / len(tables)), float(rows / len(tables)))
    return counts


def compare_sparsity() -> dict[str, dict[str, float]]:
    """Returns counts per image: scaled from the demo to COCO's objects, and of simulated ones."""
    (outputs,) = batches(100, 100)
    counts = sparsity([each.probabilities for each in outputs])
    rows: dict[str, dict[str, float]] = {}
    for threshold, demo in DEMO.items():
        names = (f"scores from {threshold}", f"default boxes from {threshold}")
        for name, of_demo, value in zip(names, demo, counts[threshold], strict=True):
            scaled = round(of_demo * OBJECTS / DEMO_OBJECTS, 1)
            rows[name] = {"as in the demo": scaled, "drawn": round(value, 1)}
    return rows
