"""Converts images to the network's input, alike in training, evaluation and prediction."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoSplit
from ssdcore.geometry.boxes import Boxes, to_view
from ssdcore.geometry.feature_maps import IMAGE_SIZE
from ssdcore.params.schema import ModelParams
from ssdcore.params.types import Resize

MEAN_RGB = np.array((0.485, 0.456, 0.406), np.float32) * 255
DEVIATION_RGB = np.array((0.229, 0.224, 0.225), np.float32) * 255
"""ImageNet's mean and standard deviation, in 0 … 255."""
PADDING_RGB = MEAN_RGB.round().astype(np.uint8)
"""Colour of the padding around an image."""
SMALLEST_CROP = 0.3
"""Side of the smallest crop that augmentation cuts out, as a fraction of the image's."""
CAFFE_MEAN_RGB = np.array((123, 117, 104), np.float32)
"""The mean that Caffe's VGG16 subtracts, in 0 … 255; it does not divide."""


class NetworkInput(NamedTuple):
    """The input of a network, and how an image of any size becomes one.

    "stretch" fills the input with the image, in whole levels as OpenCV resizes bytes, and
    "stretch_float" without rounding, as torchvision does. "letterbox" keeps the image's aspect
    ratio: its longer side fills the input, and `PADDING_RGB` the rest, on the right of a tall image
    and below a wide one.
    """

    size: int = IMAGE_SIZE  # S, height and width in pixels
    resize: Resize = "stretch"

    @classmethod
    def of(cls, model: ModelParams) -> "NetworkInput":
        """Returns the input of the network of these parameters."""
        return cls(model.input_size, model.resize)

    def filled_hw(self, image_hw: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        """Returns the height and width (…, 2) in pixels that images of a size (…, 2) fill."""
        if self.resize != "letterbox":
            return np.full_like(image_hw, self.size)
        longer = image_hw.max(axis=-1, keepdims=True)
        return np.maximum((2 * image_hw * self.size + longer) // (2 * longer), 1)

    def view(self, image_hw: NDArray[np.integer[Any]]) -> Boxes:
        """Returns what the input shows of images of a size (…, 2): (…, 4) in fractions of them.

        A letterbox shows more than the image. `ssdcore.geometry.boxes` converts boxes.
        """
        reach = self.size / self.filled_hw(image_hw)
        return np.concatenate([np.zeros_like(reach), reach], axis=-1)

    def training_boxes(self, split: CocoSplit, rows: NDArray[np.int64]) -> Boxes:
        """Returns the boxes (M, 4) of rows of a split's annotations, in fractions of the input."""
        return to_view(split.annotations.boxes_yxyx[rows], self.view(split.sizes_hw(rows)))

    def scaled(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resizes an image (H, W, 3) to the height and width that it fills.

        With "stretch_float" it stays as it is: `to_network_input` resizes it, in float.
        """
        if self.resize == "stretch_float":
            return rgb
        height, width = self.filled_hw(np.array(rgb.shape[:2])).tolist()
        return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)

    def padded(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pads a scaled image to (S, S, 3)."""
        height, width = rgb.shape[:2]
        if self.resize != "letterbox" or height == width == self.size:
            return rgb
        padded = np.empty((self.size, self.size, 3), np.uint8)
        padded[:] = PADDING_RGB
        padded[:height, :width] = rgb
        return padded

    def resized(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resizes an image (H, W, 3) of any aspect ratio to (S, S, 3); see `scaled`."""
        return self.padded(self.scaled(rgb))


SSD300 = NetworkInput()


def scaled_down(rgb: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """Scales an image down to a longer side of `max_side` pixels; a smaller one is unchanged."""
    height, width = rgb.shape[:2]
    scale = max_side / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def to_network_input(
    rgb: NDArray[np.uint8], network_input: NetworkInput = SSD300
) -> NDArray[np.float32]:
    """Resizes an image (H, W, 3) and normalises it to a network's input (3, S, S) float32."""
    # By channel: several times as fast as with three interleaved channels.
    channels = cv2.split(network_input.resized(rgb))
    sides = (network_input.size,) * 2
    if network_input.resize == "stretch_float":
        channels = [
            cv2.resize(channel.astype(np.float32), sides, interpolation=cv2.INTER_LINEAR)
            for channel in channels
        ]
    planes = np.empty((3, *sides), np.float32)
    by_channel = zip(channels, planes, MEAN_RGB, DEVIATION_RGB, strict=True)
    for channel, plane, mean, deviation in by_channel:
        np.subtract(channel, mean, out=plane)
        plane /= deviation
    return planes
