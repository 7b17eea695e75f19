"""From an image to the network's input; the same in training, evaluation and prediction."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.feature_maps import IMAGE_SIZE

MEAN_RGB = np.array((0.485, 0.456, 0.406), np.float32) * 255
DEVIATION_RGB = np.array((0.229, 0.224, 0.225), np.float32) * 255
"""ImageNet's mean and standard deviation, in 0 … 255."""
SMALLEST_CROP = 0.3
"""Side of the smallest crop that augmentation cuts out, as a fraction of the image's."""
CAFFE_MEAN_RGB = np.array((123, 117, 104), np.float32)
"""What the Caffe VGG16 subtracts, in 0 … 255; it does not divide."""


class NetworkInput(NamedTuple):
    """What a network takes, and how an image of any size becomes that.

    Attributes:
        size: S, height and width in pixels.
    """

    size: int = IMAGE_SIZE

    def resized(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resizes an image (H, W, 3) of any aspect ratio to (S, S, 3)."""
        return cv2.resize(rgb, (self.size, self.size), interpolation=cv2.INTER_LINEAR)


SSD300 = NetworkInput()


def to_network_input(
    rgb: NDArray[np.uint8], network_input: NetworkInput = SSD300
) -> NDArray[np.float32]:
    """Resizes an image (H, W, 3) of any aspect ratio to a network's input and normalises it.

    Returns:
        (3, S, S) float32 with about zero mean and unit deviation.
    """
    # By channel: several times as fast as with three interleaved channels.
    resized = network_input.resized(rgb)
    planes = np.empty((3, *resized.shape[:2]), np.float32)
    channels = zip(cv2.split(resized), planes, MEAN_RGB, DEVIATION_RGB, strict=True)
    for channel, plane, mean, deviation in channels:
        np.subtract(channel, mean, out=plane)
        plane /= deviation
    return planes
