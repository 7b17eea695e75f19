"""Variations of the colours; the objects stay where they are.

Each is a pure function of a sample, a Generator and a strength: it draws its amount uniformly
from -strength … strength. At strength 0 the image stays as it is, and the Generator still
moves on, so that switching one variation off leaves the others' draws alone.
"""

import cv2
import numpy as np

from ssdcore.data.sample import Sample

HUE_STEPS = 256
"""OpenCV's colour circle in bytes (HSV_FULL); an amount under half a step turns nothing."""


def brightness(sample: Sample, rng: np.random.Generator, strength: float) -> Sample:
    """Scales all values by 1 + amount."""
    amount = rng.uniform(-strength, strength)
    return sample._replace(rgb=cv2.convertScaleAbs(sample.rgb, alpha=1 + amount))


def contrast(sample: Sample, rng: np.random.Generator, strength: float) -> Sample:
    """Scales the distance from the image's mean brightness by 1 + amount."""
    amount = rng.uniform(-strength, strength)
    mean = cv2.mean(cv2.cvtColor(sample.rgb, cv2.COLOR_RGB2GRAY))[0]
    rgb = cv2.addWeighted(sample.rgb, 1 + amount, sample.rgb, 0, -mean * amount)
    return sample._replace(rgb=rgb)


def saturation(sample: Sample, rng: np.random.Generator, strength: float) -> Sample:
    """Scales the distance from the grey image by 1 + amount."""
    amount = rng.uniform(-strength, strength)
    grey = cv2.cvtColor(cv2.cvtColor(sample.rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return sample._replace(rgb=cv2.addWeighted(sample.rgb, 1 + amount, grey, -amount, 0))


def hue(sample: Sample, rng: np.random.Generator, strength: float) -> Sample:
    """Turns the colour circle by `amount` of a whole turn."""
    steps = round(rng.uniform(-strength, strength) * HUE_STEPS) % HUE_STEPS
    if steps == 0:
        return sample  # going through HSV and back would cost a little
    hsv = cv2.cvtColor(sample.rgb, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(steps)
    return sample._replace(rgb=cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL))
