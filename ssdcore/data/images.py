"""Encoded pictures: reading, checking and decoding them."""

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
"""What OpenCV decodes everywhere, by Pillow's names."""
ORIENTATION_TAG = 0x0112
"""EXIF's orientation; 5 to 8 swap height and width."""
UPRIGHT_JPEG_QUALITY = 95


class BrokenImageError(Exception):
    """A picture can't be used; the text is a short reason, the same for all of its kind."""


def read_bytes(folder: Path, file_name: str) -> bytes:
    """Reads a picture's file; its name may hold folders, but not leave `folder`.

    Raises:
        BrokenImageError: no such file, or none that may be read.
    """
    path = folder / file_name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BrokenImageError("file name leaves the image folder")
        return path.read_bytes()
    except FileNotFoundError:
        raise BrokenImageError("file missing") from None
    except (OSError, ValueError):
        raise BrokenImageError("file unreadable") from None


def checked(data: bytes, height: int, width: int) -> bytes:
    """Decodes a picture once to see that it is whole and as large as its annotations say.

    Cameras store pictures lying on their side, with a note (EXIF) to turn them. COCO's boxes
    ignore it; other tools draw on the upright picture. Where only the upright size fits, that is
    what was meant.

    Returns:
        `data`, or the upright picture encoded anew.

    Raises:
        BrokenImageError: empty, no picture, an unknown format, cut short or of another size.
    """
    if not data:
        raise BrokenImageError("file empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            size, orientation = image.size, image.getexif().get(ORIENTATION_TAG, 1)
            image.load()
    except UnidentifiedImageError:
        raise BrokenImageError("no picture of a known format") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise BrokenImageError("picture damaged or cut short") from None
    if size == (width, height):
        return data
    if orientation >= 5 and size == (height, width):
        upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        quality = [cv2.IMWRITE_JPEG_QUALITY, UPRIGHT_JPEG_QUALITY]
        return cv2.imencode(".jpg", upright, quality)[1].tobytes()
    raise BrokenImageError("size differs from the annotation file's")


def decode(data: bytes) -> NDArray[np.uint8]:
    """Decodes a picture to (H, W, 3) uint8 RGB, as stored: EXIF orientation is ignored.

    Raises:
        BrokenImageError: OpenCV can't decode it.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if bgr is None:
        raise BrokenImageError("no picture of a known format")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
