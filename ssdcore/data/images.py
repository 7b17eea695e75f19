"""Checks and decodes encoded images; `ssdcore.data.image_files` reads them."""

import io
import warnings
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
"""Formats that OpenCV decodes on all platforms, by Pillow's names."""
ORIENTATION_TAG = 0x0112
UPRIGHT: dict[object, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda rgb: np.rot90(rgb, 2),
    4: np.flipud,
    5: lambda rgb: rgb.swapaxes(0, 1),
    6: lambda rgb: np.rot90(rgb, -1),
    7: lambda rgb: np.rot90(rgb, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""Functions that turn an image upright, by EXIF orientation."""
LYING = (5, 6, 7, 8)
"""The orientations that swap height and width."""
JPEG_QUALITY = 95
"""Quality of images that are encoded again; COCO's images have about the same."""
MAX_PIXELS = 1 << 28
"""The largest phone photos have 200 million pixels."""
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is lower, and it warns at half of it
warnings.filterwarnings("ignore", "Corrupt EXIF data", UserWarning)  # several COCO images
MAX_STORED_BYTES = 30 << 20
"""A row of MindRecord has to fit a page of 32 MiB."""
MAX_REDUCTION = 8
"""libjpeg can decode to an eighth of each side at the smallest. It reads the whole file then, but
with less work."""
SHORTER_SIDE_PX = 1000
"""Pixels of the shorter side that the network can use: the smallest crop is 0.3 of a side and is
resized to 300 pixels."""
REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    1: cv2.IMREAD_COLOR,
}


class BrokenImageError(Exception):
    """An unusable image; the text is a short reason, the same for all images of its kind."""


class Header(NamedTuple):
    """The properties of a complete image.

    Attributes:
        height: in pixels, as `decode` returns it.
        width: likewise.
        format: by Pillow's name.
        orientation: EXIF orientation of the result of `decode`; None if there is none.
    """

    height: int
    width: int
    format: str
    orientation: int | None


def inspect(data: bytes) -> Header:
    """Decodes an image once at low resolution to check that it is complete.

    Raises:
        BrokenImageError: empty, no image, an unknown format, too large or cut short.
    """
    if not data:
        raise BrokenImageError("file empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            (width, height), image_format = image.size, str(image.format)
            if width * height > MAX_PIXELS:
                raise BrokenImageError("image of too many pixels")
            orientation = _orientation(image)
            image.draft(None, tuple(max(side // MAX_REDUCTION, 1) for side in image.size))
            image.load()
    except UnidentifiedImageError:
        raise BrokenImageError("no BMP, JPEG, PNG, TIFF or WebP image") from None
    except BrokenImageError:
        raise
    except Exception:  # Pillow raises many types for damaged bytes: struct.error, KeyError, …
        raise BrokenImageError("image damaged or cut short") from None
    return Header(height, width, image_format, orientation)


def checked(data: bytes, height: int, width: int) -> bytes:
    """Decodes an image once to check that it is complete and has the size of its annotations.

    Cameras store images sideways with an EXIF orientation. COCO's boxes ignore it; other tools
    annotate the upright image. If only the upright size matches, the image is turned upright.

    Returns:
        `data`, or a JPEG if the image was turned or exceeds `MAX_STORED_BYTES`.

    Raises:
        BrokenImageError: empty, no image, an unknown format, too large, cut short or of
            another size.
    """
    header = inspect(data)
    if (header.height, header.width) == (height, width):
        if len(data) > MAX_STORED_BYTES:
            return _to_jpeg(decode(data))
        if header.format != "JPEG":
            decode(data)  # Pillow decodes some images that OpenCV does not, such as float TIFF
        return data
    if header.orientation in LYING and (header.width, header.height) == (height, width):
        return _to_jpeg(UPRIGHT[header.orientation](decode(data)))
    raise BrokenImageError("size differs from the annotation file's")


def decode(data: bytes) -> NDArray[np.uint8]:
    """Decodes an image to (H, W, 3) uint8 RGB as stored: EXIF orientation is ignored.

    Grey and palette images become RGB, of 16 bits per channel the upper 8 are kept, and
    transparency is dropped.

    Raises:
        BrokenImageError: OpenCV can't decode it.
    """
    return _decoded(data, 1)


def decode_for_network(data: bytes) -> NDArray[np.uint8]:
    """Decodes like `decode`, but a large JPEG to a half, a quarter or an eighth of its sides.

    The shorter side keeps at least `SHORTER_SIDE_PX` pixels, so no crop loses visible detail;
    libjpeg averages pixels, while a later resize would skip them. Training, evaluation and
    prediction all use this function, whatever the augmentation.
    """
    return _decoded(data, _reduction(data))


def _orientation(image: Image.Image) -> int | None:
    """Returns the EXIF orientation; OpenCV and Pillow apply that of TIFF themselves."""
    if image.format == "TIFF":
        return None
    try:
        return image.getexif().get(ORIENTATION_TAG)
    except Exception:  # damaged EXIF data; the image itself can be intact
        return None


def _to_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    if len(data) > MAX_STORED_BYTES:
        raise BrokenImageError("image too large to store")
    return data


def _reduction(data: bytes) -> int:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:  # reads only the header
            shorter = min(image.size)
    except Exception:  # not a JPEG, or a damaged one, which `_decoded` reports
        return 1
    return next(factor for factor in REDUCED if factor == 1 or shorter >= factor * SHORTER_SIDE_PX)


def _decoded(data: bytes, reduction: int) -> NDArray[np.uint8]:
    flags = REDUCED[reduction] | cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        rgb = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:  # for example too many pixels
        rgb = None
    if rgb is None:
        raise BrokenImageError("image of a kind that can't be decoded")
    return rgb
