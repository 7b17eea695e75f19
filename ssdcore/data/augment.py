"""The chain of training variations (section 2.2 of the SSD paper, "data augmentation").

Zoom-out, crop and flip each happen by chance; then the image is scaled to the network's size
and its colours are changed in random order. All that is random comes from the Generator.
"""

from typing import NamedTuple

import cv2
import numpy as np

from ssdcore.data.augment_colour import brightness, contrast, hue, saturation
from ssdcore.data.augment_geometry import crop, flip, zoom_out
from ssdcore.data.sample import Sample
from ssdcore.geometry.default_boxes import IMAGE_SIZE


class Strengths(NamedTuple):
    """Probabilities (crop, zoom_out, flip) and largest relative changes (the colours); 0 is off.

    Hue is a share of the colour circle.
    """

    crop: float = 0.0
    zoom_out: float = 0.0
    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0


IMAGE_STREAM = 1
"""Keeps the images' randomness apart from that of an epoch's order, stream 0."""


def image_generator(seed: int, epoch: int, image_id: int) -> np.random.Generator:
    """Returns what varies an image in an epoch; it depends on nothing but the arguments."""
    return np.random.default_rng((seed, IMAGE_STREAM, epoch, image_id % 2**63))


def augment(sample: Sample, strengths: Strengths, rng: np.random.Generator) -> Sample:
    """Varies a sample; the image comes out at 300×300, the input stays as it was."""
    for probability, move in (
        (strengths.zoom_out, zoom_out),
        (strengths.crop, crop),
        (strengths.flip, flip),
    ):
        if rng.random() < probability:
            sample = move(sample, rng)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    sample = sample._replace(rgb=cv2.resize(sample.rgb, size, interpolation=cv2.INTER_LINEAR))
    colours = (
        (strengths.brightness, brightness),
        (strengths.contrast, contrast),
        (strengths.saturation, saturation),
        (strengths.hue, hue),
    )
    for index in rng.permutation(len(colours)):
        strength, recolour = colours[index]
        sample = recolour(sample, rng, strength)
    return sample
