"""Reads photos of any size and turns them upright, as their camera noted (EXIF)."""

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
"""An encoded image, its file, or pixels (H, W, 3), red, green, blue; or why there is none."""


class Photo(NamedTuple):
    """A photo, decoded once.

    Attributes:
        rgb: (h, w, 3) uint8, upright; for a large JPEG 1/2, 1/4 or 1/8 of the whole photo's sides.
        height: of the whole photo, upright, in pixels.
        width: likewise.
        encoded: the file, if `rgb` is smaller than the photo; else empty.
        orientation: EXIF's orientation of `encoded`.
    """

    rgb: NDArray[np.uint8]
    height: int
    width: int
    encoded: bytes = b""
    orientation: int | None = None

    def whole(self) -> NDArray[np.uint8]:
        """Returns the whole photo (H, W, 3), upright, to draw on.

        A large JPEG is decoded for it: keeping it whole while a batch fills takes too much memory.

        Raises:
            BrokenImageError: OpenCV can't decode the whole photo.
        """
        return _upright(decode(self.encoded), self.orientation) if self.encoded else self.rgb


def read_photo(source: Source) -> Photo:
    """Reads an image as training and evaluation do, and turns it upright.

    Raises:
        BrokenImageError: no such file, or no usable image.
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or not source.size:
            found = f"{source.dtype} {source.shape}"
            raise BrokenImageError(f"pixels {found}, not uint8 (H, W, 3)")
        height, width = source.shape[:2]
        return Photo(source, height, width)
    data = _read_bytes(source)
    head = inspect(data)
    decoded = decode_for_network(data)
    is_whole = decoded.shape[:2] == (head.height, head.width)
    is_lying = head.orientation in LYING
    height, width = (head.width, head.height) if is_lying else (head.height, head.width)
    rgb = _upright(decoded, head.orientation)
    return Photo(rgb, height, width, b"" if is_whole else data, head.orientation)


def _read_bytes(source: bytes | Path | BrokenImageError) -> bytes:
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


def _upright(rgb: NDArray[np.uint8], orientation: int | None) -> NDArray[np.uint8]:
    turn = UPRIGHT.get(orientation)
    return np.ascontiguousarray(turn(rgb)) if turn else rgb
