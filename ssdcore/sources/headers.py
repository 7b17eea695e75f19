"""Which files are images, by their names, and how large they are, by their headers."""

import io
from pathlib import PurePosixPath

from PIL import Image

from ssdcore.data.image_files import ImageFiles
from ssdcore.data.images import FORMATS, ORIENTATION_TAG, BrokenImageError

SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
UNKNOWN = (1, 1)
"""Stands for the size of an image that can't be read; convert leaves it out and says why."""


def image_names(place: ImageFiles) -> list[str]:
    """Returns the names of the images among the files, sorted."""
    return [n for n in place.names() if PurePosixPath(n).suffix.lower() in SUFFIXES]


def stored_size_hw(image_files: ImageFiles, file_name: str) -> tuple[int, int]:
    """Returns height and width in pixels, as the file has them; this is what COCO counts."""
    return _sizes_hw(image_files, file_name)[0]


def upright_size_hw(image_files: ImageFiles, file_name: str) -> tuple[int, int]:
    """Returns height and width in pixels, as they are once a camera's note (EXIF) is followed.

    Tools that write no size draw their boxes on the upright image.
    """
    return _sizes_hw(image_files, file_name)[1]


def _sizes_hw(image_files: ImageFiles, file_name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    try:
        data = image_files.read(file_name)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            lying = image.getexif().get(ORIENTATION_TAG, 1) >= 5
            width, height = image.size
    except (BrokenImageError, OSError, SyntaxError, ValueError):
        return UNKNOWN, UNKNOWN
    return (height, width), (width, height) if lying else (height, width)
