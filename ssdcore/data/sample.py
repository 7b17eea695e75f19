"""One image with its objects, the currency between reading, augmenting and encoding."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.coco.boxes import Objects


class Sample(NamedTuple):
    """An image and its objects.

    Attributes:
        rgb: (H, W, 3) uint8.
        objects: what is in it.
    """

    rgb: NDArray[np.uint8]
    objects: Objects
