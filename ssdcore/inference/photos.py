"""Images that no annotation file tells of: of any size, and upright as people see them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssdcore.data.image_files import MISSING, UNREADABLE
from ssdcore.data.images import (
    LYING,
    UPRIGHT,
    BrokenImageError,
    decode,
    decode_for_network,
    inspect,
)

Source = bytes | Path | NDArray[np.uint8] | BrokenImageError
"""An encoded image, a file of one, or its pixels (H, W, 3), red, green, blue; or what kept its
owner from having one."""


class Photo(NamedTuple):
    """An image for the network.

    Attributes:
        rgb: (h, w, 3) uint8, upright; of a large JPEG a half to an eighth of its sides.
        height: of the whole image, upright, in pixels.
        width: likewise.
    """

    rgb: NDArray[np.uint8]
    height: int
    width: int


def read_photo(source: Source) -> Photo:
    """Reads an image as training and evaluation do, and turns it as its camera noted (EXIF).

    Raises:
        BrokenImageError: no such file, or no image that can be used.
    """
    if isinstance(source, np.ndarray):
        return Photo(_pixels(source), *source.shape[:2])
    data = _bytes(source)
    head = inspect(data)
    rgb = _upright(decode_for_network(data), head.orientation)
    if head.orientation in LYING:
        return Photo(rgb, head.width, head.height)
    return Photo(rgb, head.height, head.width)


def read_upright(source: Source) -> NDArray[np.uint8]:
    """Reads an image (H, W, 3) whole, to draw on: of the size that `read_photo` tells.

    Raises:
        BrokenImageError: as `read_photo`.
    """
    if isinstance(source, np.ndarray):
        return _pixels(source)
    data = _bytes(source)
    head = inspect(data)
    return _upright(decode(data), head.orientation)


def _bytes(source: bytes | Path | BrokenImageError) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, BrokenImageError):
        raise source
    try:
        return source.read_bytes()
    except FileNotFoundError:
        raise BrokenImageError(MISSING) from None
    except OSError:
        raise BrokenImageError(UNREADABLE) from None


def _pixels(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise BrokenImageError(f"pixels {rgb.dtype} {rgb.shape}, not uint8 (H, W, 3)")
    return rgb


def _upright(rgb: NDArray[np.uint8], orientation: int | None) -> NDArray[np.uint8]:
    turn = UPRIGHT.get(orientation)
    return np.ascontiguousarray(turn(rgb)) if turn else rgb
