"""The sizes of images, from their headers alone."""

from ssdcore.core.retry import retrying
from ssdcore.data.image_files import ImageFiles
from ssdcore.data.images import BrokenImageError, read_header

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
        header = retrying(lambda: read_header(image_files.read(file_name)), file_name)
    except BrokenImageError:
        return UNKNOWN, UNKNOWN
    return (header.height, header.width), header.upright_hw
