"""What a trained SSD300 answers for images like COCO's, drawn instead of computed.

An image has as many objects, of as few classes, as COCO's have on average. A default box that
overlaps an object says its class, the surer the better it fits; less sure, it also says classes
that look alike. The others say background, and a few of them something at random. The strengths
are set so that an object makes as many scores pass each threshold as one of the demo's does in the
network that `make demo` trains: `sparsity` counts both.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.box_coder import encode
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.default_boxes import corners, default_boxes
from ssdcore.geometry.iou import iou

CLASSES = 81
OBJECTS = 7.3
"""Of an image of COCO 2017: 860,001 boxes in 118,287 images."""
SHOWN, ALIKE = 3, 20
"""Classes of an image (2.9 in COCO), and with those that they are taken for."""
PRIORS = default_boxes()
CORNERS = np.clip(corners(PRIORS), 0, 1)
NEAR = 0.25
"""IoU with an object from which a default box says something of it."""
OWN, OTHERS, SPREAD = 2.2, (4.5, 3.5, 2.5, 1.5), 1.5
OWN_GAIN, OTHERS_GAIN = 10.0, 6.0
"""Mean logits of an object's class and of others at NEAR, their deviation, what a fit adds."""
BACKGROUND = 11.0
NOISY, NOISE, NOISE_SPREAD = 700, 6.9, 0.7
"""Default boxes anywhere that say something nevertheless, and the logits they do it with."""
DEMO_OBJECTS = 3.58
DEMO = {0.01: (684, 394), 0.1: (125, 94), 0.5: (30, 30)}
"""Of the demo's network, an image: scores from each threshold on, and default boxes with any."""


class Output(NamedTuple):
    """The network's answer for one image, and what it shows.

    Attributes:
        offsets: (8732, 4) float32.
        probabilities: (8732, 81) float32, of softmax; the background in column 0.
        boxes: (N, 4) y1 x1 y2 x2 of the objects.
        labels: (N,) their classes, 1 … 80.
    """

    offsets: Boxes
    probabilities: Boxes
    boxes: Boxes
    labels: NDArray[np.intp]


def output(image: int, seed: int = 1) -> Output:
    """Draws the answer for an image, always the same."""
    rng = np.random.default_rng((seed, image))
    offsets = rng.standard_normal(PRIORS.shape, np.float32)
    logits = rng.standard_normal((len(PRIORS), CLASSES), np.float32)
    logits[:, 0] += BACKGROUND
    scene = rng.permutation(np.arange(1, CLASSES))
    noisy = rng.choice(len(PRIORS), NOISY, replace=False)
    logits[noisy, rng.choice(scene[:ALIKE], NOISY)] += rng.normal(NOISE, NOISE_SPREAD, NOISY)
    boxes = objects(rng)
    labels = rng.choice(scene[:SHOWN], len(boxes))
    for box, label in zip(boxes, labels, strict=True):
        overlap = iou(CORNERS, box)
        near = np.flatnonzero(overlap > NEAR)
        fit = (overlap[near] - NEAR) / (1 - NEAR)
        logits[near, label] += rng.normal(OWN + OWN_GAIN * fit, SPREAD)
        others = rng.choice(scene[SHOWN:ALIKE], len(OTHERS), replace=False)
        for strength, other in zip(OTHERS, others, strict=True):
            logits[near, other] += rng.normal(strength + OTHERS_GAIN * fit, SPREAD)
        jitter = rng.normal(0, 0.5, (len(near), 4)) * (1.2 - fit[:, None])
        offsets[near] = encode(box, PRIORS[near]) + jitter
    return Output(offsets, softmax(logits), boxes, labels)


def objects(rng: np.random.Generator) -> Boxes:
    """Draws boxes (N, 4) y1 x1 y2 x2, most of them small as in COCO; perhaps none."""
    count = rng.poisson(OBJECTS)
    sides = np.clip(np.exp(rng.normal(-1.6, 0.8, (count, 1))), 0.03, 0.95)
    aspects = np.exp(rng.normal(0, 0.4, (count, 1)))
    sizes = np.clip(np.concatenate([sides * aspects, sides / aspects], axis=1), 0.02, 1)
    low = rng.random((count, 2)) * (1 - sizes)
    return np.concatenate([low, low + sizes], axis=1).astype(np.float32)


def softmax(logits: Boxes) -> Boxes:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def batches(images: int, batch_size: int) -> Iterator[list[Output]]:
    """Yields the answers of so many images; no more than a batch is in memory."""
    for start in range(0, images, batch_size):
        yield [output(image) for image in range(start, min(start + batch_size, images))]


def sparsity(tables: list[Boxes]) -> dict[float, tuple[float, float]]:
    """Counts as `DEMO` does, for scores (8732, C) of some images."""
    counts = {}
    for threshold in DEMO:
        said = [table[:, 1:] >= threshold for table in tables]
        scores, rows = (sum(np.sum(f(s)) for s in said) for f in (np.asarray, rows_of))
        counts[threshold] = (float(scores / len(tables)), float(rows / len(tables)))
    return counts


def rows_of(said: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return said.any(axis=1)
