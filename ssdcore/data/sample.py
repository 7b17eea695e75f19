"""One picture with its objects, the currency between reading, augmenting and encoding."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.geometry.boxes import Boxes


class Objects(NamedTuple):
    """The ground truth of one picture; N may be 0.

    Attributes:
        boxes_yxyx: (N, 4) float32, fractions of the image.
        labels: (N,) int32, 1 … C-1.
        crowd: (N,) bool, regions of many objects (COCO's iscrowd).
    """

    boxes_yxyx: Boxes
    labels: NDArray[np.int32]
    crowd: NDArray[np.bool_]

    def select(self, keep: NDArray[np.bool_]) -> "Objects":
        """Returns the objects that `keep` (N,) marks."""
        return Objects(self.boxes_yxyx[keep], self.labels[keep], self.crowd[keep])


class Sample(NamedTuple):
    """A picture and its objects.

    Attributes:
        rgb: (H, W, 3) uint8.
        objects: what is in it.
    """

    rgb: NDArray[np.uint8]
    objects: Objects
