"""The sizes of images, from their headers alone."""

import io

from PIL import Image

from ssdcore.data.image_files import ImageFiles
from ssdcore.data.images import FORMATS, ORIENTATION_TAG, BrokenImageError

UNKNOWN = (1, 1)
"""The size of an unreadable image; convert skips it with the reason."""


def stored_size_hw(image_files: ImageFiles, file_name: str) -> tuple[int, int]:
    """Returns height and width in pixels as stored in the file; COCO's boxes refer to them."""
    return _sizes_hw(image_files, file_name)[0]


def upright_size_hw(image_files: ImageFiles, file_name: str) -> tuple[int, int]:
    """Returns height and width in pixels after rotation by the EXIF orientation.

    Tools that write no size draw their boxes on the upright image.
    """
    return _sizes_hw(image_files, file_name)[1]


def _sizes_hw(image_files: ImageFiles, file_name: str) -> tuple[tuple[int, int], tuple[int, int]]:
    try:
        data = image_files.read(file_name)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            is_rotated = image.getexif().get(ORIENTATION_TAG, 1) >= 5
            width, height = image.size
    except (BrokenImageError, OSError, SyntaxError, ValueError):
        return UNKNOWN, UNKNOWN
    return (height, width), (width, height) if is_rotated else (height, width)
