"""Encoded images: checking and decoding them; `ssdcore.data.image_files` reads them."""

import io
import warnings
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
"""What OpenCV decodes everywhere, by Pillow's names."""
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""The suffixes of files in these formats."""
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
"""What makes an image upright, by EXIF's orientation."""
LYING = (5, 6, 7, 8)
"""The orientations whose height and width swap."""
JPEG_QUALITY = 95
"""Of images that are encoded anew: COCO's own have about as much."""
MOST_PIXELS = 1 << 28
"""The largest phone photos have 200 million."""
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is lower, and half of it prints a warning
warnings.filterwarnings("ignore", "Corrupt EXIF data", UserWarning)  # several COCO images
LARGEST_STORED = 30 << 20
"""Bytes; a row of MindRecord lies within a page of 32 MiB."""
SMALLEST_DRAFT = 8
"""libjpeg decodes to an eighth of the sides at the least: the whole file is read, most of the
work left out."""
SHORTEST_SIDE = 1000
"""Pixels of an image's shorter side that the network can make use of: its input's 300 out of
the 0.3 of a side that a crop keeps at the least."""
REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    1: cv2.IMREAD_COLOR,
}


class BrokenImageError(Exception):
    """An image can't be used; the text is a short reason, the same for all of its kind."""


class Head(NamedTuple):
    """What the file of a whole image says of it.

    Attributes:
        height: in pixels, as `decode` gives it.
        width: likewise.
        kind: the format, by Pillow's name.
        orientation: EXIF's number for how to turn what `decode` gives; None where it says none.
    """

    height: int
    width: int
    kind: str
    orientation: int | None


def inspect(data: bytes) -> Head:
    """Decodes an image once, roughly, to see that it is whole.

    Raises:
        BrokenImageError: empty, no image, an unknown format, too large or cut short.
    """
    if not data:
        raise BrokenImageError("file empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            (width, height), kind = image.size, str(image.format)
            if width * height > MOST_PIXELS:
                raise BrokenImageError("image of too many pixels")
            orientation = _orientation(image)
            image.draft(None, tuple(max(side // SMALLEST_DRAFT, 1) for side in image.size))
            image.load()
    except UnidentifiedImageError:
        raise BrokenImageError("no BMP, JPEG, PNG, TIFF or WebP image") from None
    except BrokenImageError:
        raise
    except Exception:  # on damaged bytes Pillow fails in many ways: struct.error, KeyError, …
        raise BrokenImageError("image damaged or cut short") from None
    return Head(height, width, kind, orientation)


def checked(data: bytes, height: int, width: int) -> bytes:
    """Decodes an image once to see that it is whole and as large as its annotations say.

    Cameras store images lying on their side, with a note (EXIF) to turn them. COCO's boxes
    ignore it; other tools draw on the upright image. Where only the upright size fits, that is
    what was meant.

    Returns:
        `data`, or a JPEG of the upright image or of one over `LARGEST_STORED`.

    Raises:
        BrokenImageError: empty, no image, an unknown format, too large, cut short or of
            another size.
    """
    head = inspect(data)
    if (head.height, head.width) == (height, width):
        if len(data) > LARGEST_STORED:
            return _to_jpeg(decode(data))
        if head.kind != "JPEG":
            decode(data)  # Pillow knows kinds that OpenCV does not, TIFF of fractions for one
        return data
    if head.orientation in LYING and (head.width, head.height) == (height, width):
        return _to_jpeg(UPRIGHT[head.orientation](decode(data)))
    raise BrokenImageError("size differs from the annotation file's")


def decode(data: bytes) -> NDArray[np.uint8]:
    """Decodes an image to (H, W, 3) uint8 RGB, as stored: EXIF orientation is ignored.

    Grey and palette images become RGB, 16 bits a channel the upper 8; transparency is left out.

    Raises:
        BrokenImageError: OpenCV can't decode it.
    """
    return _decoded(data, 1)


def decode_for_network(data: bytes) -> NDArray[np.uint8]:
    """Decodes as `decode` does, but a large JPEG to a half, a quarter or an eighth of its sides.

    Its shorter side keeps `SHORTEST_SIDE` pixels or more, so that no crop loses what the network
    would see; libjpeg averages pixels where a later resize would skip them. Training,
    evaluation and prediction all decode by this rule, whatever the augmentation.
    """
    return _decoded(data, _reduction(data))


def _orientation(image: Image.Image) -> int | None:
    """Returns EXIF's orientation; OpenCV and Pillow heed that of TIFF by themselves."""
    if image.format == "TIFF":
        return None
    try:
        return image.getexif().get(ORIENTATION_TAG)
    except Exception:  # the note is damaged, which says nothing about the image
        return None


def _to_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    if len(data) > LARGEST_STORED:
        raise BrokenImageError("image too large to store")
    return data


def _reduction(data: bytes) -> int:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:  # reads the head alone
            shorter = min(image.size)
    except Exception:  # no JPEG, or one for `_decoded` to judge
        return 1
    return next(factor for factor in REDUCED if factor == 1 or shorter >= factor * SHORTEST_SIDE)


def _decoded(data: bytes, reduction: int) -> NDArray[np.uint8]:
    flags = REDUCED[reduction] | cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        rgb = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error:  # too many pixels, say
        rgb = None
    if rgb is None:
        raise BrokenImageError("image of a kind that can't be decoded")
    return rgb
