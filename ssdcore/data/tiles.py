"""Large images in overlapping tiles, in which the network sees small objects larger.

`ssdcore.inference.merging` makes one set of the detections.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ssdcore.data.preprocess import SMALLEST_CROP, NetworkInput, scaled_down
from ssdcore.geometry.boxes import Boxes

OVERLAP = 0.5
"""Share of a tile's side that it has in common with the next one, at least: an object of up to this
size is whole in some tile."""

Rgb = NDArray[np.uint8]


def cut(height: int, width: int, side: int) -> NDArray[np.int64]:
    """Returns tiles (T, 4) y1 x1 y2 x2 in pixels that cover an image, row by row.

    All have the same size: `side`, or the image's own where that is smaller.
    """

    def starts(length: int) -> NDArray[np.int64]:
        rest = max(length - side, 0)
        number = int(np.ceil(rest / (side * (1 - OVERLAP)))) + 1
        return np.linspace(0, rest, number).round().astype(np.int64)

    corners = np.stack(np.meshgrid(starts(height), starts(width), indexing="ij"), axis=-1)
    corners = corners.reshape(-1, 2)
    return np.concatenate([corners, corners + np.minimum((height, width), side)], axis=1)


def number_of_parts(image_hw: tuple[int, int], tile: int | None) -> int:
    """Returns how many parts `parts` yields."""
    return 1 if tile is None or max(image_hw) <= tile else 1 + len(cut(*image_hw, tile))


def parts(
    rgb: Rgb, network_input: NetworkInput, tile: int | None, image_hw: tuple[int, int]
) -> Iterator[tuple[Rgb, Boxes]]:
    """Yields the network's views: the whole image, then its tiles if it is larger than one.

    The pixels (h, w, 3) may be scaled down; a tile's side is in pixels of the image itself.

    Yields:
        Pixels, and what the network's input shows of them: (4,) y1 x1 y2 x2 in fractions of the
        image, see `NetworkInput.view`.
    """
    hw = np.array(rgb.shape[:2])
    if tile is None or max(image_hw) <= tile:
        yield rgb, network_input.view(hw)
        return
    # not skipping pixels: a large image is decoded whole for its tiles
    whole = scaled_down(rgb, round(network_input.size / SMALLEST_CROP))
    yield whole, network_input.view(np.array(whole.shape[:2]))
    windows = cut(*image_hw, tile) * np.tile(hw, 2) / np.tile(image_hw, 2)
    windows = windows.round().astype(np.int64)
    windows[:, :2] = np.minimum(windows[:, :2], hw - 1)  # a small image of a large one has thin
    windows[:, 2:] = np.maximum(windows[:, 2:], windows[:, :2] + 1)  # tiles, of a pixel at least
    for y1, x1, y2, x2 in windows.tolist():
        part, origin = rgb[y1:y2, x1:x2], np.array((y1, x1)) / hw
        size = np.array(part.shape[:2])
        reach = network_input.view(size)[2:] * size / hw
        yield part, np.concatenate([origin, origin + reach])
