"""From a stored sample to what the network trains on: input, target offsets and labels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.data.augment import Strengths, augment
from ssdcore.data.preprocess import to_network_input
from ssdcore.data.sample import Sample
from ssdcore.geometry.boxes import Boxes
from ssdcore.geometry.matching import encode_targets


class TrainingExample(NamedTuple):
    """One row of a training batch.

    Attributes:
        image: (3, 300, 300) float32.
        offsets: (8732, 4) float32.
        labels: (8732,) int32.
    """

    image: NDArray[np.float32]
    offsets: Boxes
    labels: NDArray[np.int32]


def to_training_example(
    sample: Sample, default_boxes: Boxes, strengths: Strengths, rng: np.random.Generator
) -> TrainingExample:
    """Varies a sample, then prepares the image and encodes its objects."""
    rgb, objects = augment(sample, strengths, rng)
    targets = encode_targets(objects.boxes_yxyx, objects.labels, default_boxes, objects.crowd)
    return TrainingExample(to_network_input(rgb), targets.offsets, targets.labels)
