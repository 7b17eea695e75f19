"""Checks and decodes encoded images; `ssdcore.data.image_files` reads them."""

import io
import warnings
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ssdcore.data.preprocess import SMALLEST_CROP, scaled_down
from ssdcore.geometry.feature_maps import IMAGE_SIZE

FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
"""Formats that OpenCV decodes on all platforms, by Pillow's names."""
PHONE_FORMATS = ("AVIF", "HEIF")
"""Formats that Pillow decodes, the latter with the package pillow-heif."""
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")
OTHER_SIZE = "size differs from the annotation file's"
DAMAGED = "image damaged or cut short"
LFS_POINTER = b"version https://git-lfs."
WITHOUT_HEIF = "HEIC image: pip install pillow-heif to read it"
ORIENTATION_TAG = 0x0112
UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda rgb: np.rot90(rgb, 2),
    4: np.flipud,
    5: lambda rgb: rgb.swapaxes(0, 1),
    6: lambda rgb: np.rot90(rgb, -1),
    7: lambda rgb: np.rot90(rgb, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""Functions that turn an image upright, by EXIF orientation; 1 is upright."""
LYING = (5, 6, 7, 8)
"""The orientations that swap height and width."""
JPEG_QUALITY = 95
"""Quality of images that are encoded again; COCO's images have about the same."""
MAX_JPEG_SIDE = 65_500
"""Pixels a side that libjpeg encodes; the format allows 65,535."""
MAX_PIXELS = 100_000_000
MAX_JPEG_PIXELS = 1 << 28
"""JPEG can be decoded at an eighth of its sides; the largest phone photos have 200 million pixels.
Other files are decoded whole: 256 million pixels take 1.5 GB, even of a PNG of 729 KB."""
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is lower, and it warns at half of it
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")  # damaged EXIF data, …
BYTES_PER_PIXEL = 12
"""Memory for decoding: a copy of Pillow's, one of OpenCV's, and what their decoders need."""
MAX_STORED_BYTES = 30 << 20
"""A row of MindRecord has to fit a page of 32 MiB."""
THUMBNAIL = 32
"""Side of a `Glance`'s thumbnail in pixels."""
DARK = 16
"""Level, of 256, that an image of 12 bits per channel in a file of 16 does not reach."""
Grey = NDArray[np.uint8]
MAX_REDUCTION = 8
"""libjpeg can decode to an eighth of each side at the smallest. It reads the whole file then, but
with less work."""
REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    1: cv2.IMREAD_COLOR,
}
JPEG_ENDS = (b"\xff\xd8", b"\xff\xd9")
"""The first and the last bytes of a JPEG; no part of its pixels has the latter."""


class BrokenImageError(Exception):
    """An unusable image; the text is a short reason, the same for all images of its kind."""


class Header(NamedTuple):
    """The properties of an image as `decode` returns it, sizes in pixels.

    The orientation is EXIF's, 2 … 8, or 1 if it is upright or the tag makes no sense.
    """

    height: int
    width: int
    format: str  # by Pillow's name
    orientation: int

    @property
    def upright_hw(self) -> tuple[int, int]:
        """Height and width in pixels of the image turned upright."""
        is_lying = self.orientation in LYING
        return (self.width, self.height) if is_lying else (self.height, self.width)


def read_header(data: bytes) -> Header:
    """Reads an image's size and orientation without decoding it, unless it is a TIFF.

    Raises:
        BrokenImageError: empty, no image, an unknown format or too large.
        MemoryError: there is not enough memory to decode it.
    """
    return _read(data, lambda image: None)


class Glance(NamedTuple):
    """The properties of an image that `glance` returns."""

    thumbnail: Grey  # (32, 32), upright
    is_dark: bool  # no channel reaches `DARK`; False of a JPEG, which has no more than 8 bits
    orientation: int  # that of `Header`


def glance(image: Image.Image) -> Glance:
    """Looks at a whole image; as in `decode`, the upper 8 of 16 bits count."""
    is_jpeg, orientation = image.format == "JPEG", _orientation(image)
    if image.mode.startswith("I;16"):  # Pillow would clip all above 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    grey = image.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    small = np.asarray(grey)
    is_dark = not is_jpeg and small.max() < DARK and np.asarray(image.convert("RGB")).max() < DARK
    return Glance(upright(small, orientation), bool(is_dark), orientation)


def is_ambiguous(orientation: int, height: int, width: int) -> bool:
    """Returns whether an image of an EXIF orientation has this size both as stored and upright."""
    return orientation != 1 and (orientation not in LYING or height == width)


def inspect(data: bytes, look: Callable[[Image.Image], object] | None = None) -> Header:
    """Decodes an image once at low resolution to check that it is complete.

    `look` is called with the decoded image, whose sides are at least an eighth of its own and at
    least twice those of a thumbnail, if it is not smaller.

    Raises:
        BrokenImageError: empty, no image, an unknown format, too large or cut short.
        MemoryError: there is not enough memory to decode it.
    """

    def load(image: Image.Image) -> None:
        width, height = image.size
        least = 2 * THUMBNAIL if look else 1
        image.draft(None, (max(width // MAX_REDUCTION, least), max(height // MAX_REDUCTION, least)))
        image.load()
        if look:
            look(image)

    return _read(data, load)


def upright(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turns pixels (H, W, …) as `decode` returns them upright."""
    turn = UPRIGHT.get(orientation)
    return np.ascontiguousarray(turn(rgb)) if turn else rgb


def checked(
    data: bytes,
    height: int,
    width: int,
    look: Callable[[Image.Image], object] | None = None,
    max_side: int | None = None,
    *,
    turn_upright: bool = False,
) -> bytes:
    """Decodes an image once to check that it is complete and has the size of its annotations.

    Cameras store images sideways with an EXIF orientation. COCO's boxes ignore it; other tools
    annotate the upright image. If only the upright size matches, the image is turned upright. Of
    `is_ambiguous` images both match; they are turned if `turn_upright` is set.

    Sizes are in pixels. `look` is that of `inspect`.

    Returns:
        `data`, or a JPEG if the image was turned or scaled down to `max_side`, exceeds
        `MAX_STORED_BYTES`, or is of a format that only Pillow decodes.

    Raises:
        BrokenImageError: empty, no image, an unknown format, too large, cut short or of
            another size.
        MemoryError: there is not enough memory to decode it.
    """
    header = inspect(data, look)
    is_turned = turn_upright and header.orientation != 1
    if (header.height, header.width) == (height, width) and not is_turned:
        if max_side and max(height, width) > max_side:
            return _stored_jpeg(scaled_down(decode(data), max_side))
        if len(data) > MAX_STORED_BYTES or header.format in PHONE_FORMATS:
            return _stored_jpeg(decode(data))
        if header.format != "JPEG":
            decode(data)  # Pillow decodes some images that OpenCV does not, such as float TIFF
        return data
    if header.upright_hw == (height, width):
        rgb = upright(decode(data), header.orientation)
        return _stored_jpeg(scaled_down(rgb, max_side) if max_side else rgb)
    raise BrokenImageError(OTHER_SIZE)


def decode(data: bytes) -> NDArray[np.uint8]:
    """Decodes an image to (H, W, 3) uint8 RGB as stored: EXIF orientation is ignored.

    Grey and palette images become RGB, of 16 bits per channel the upper 8 are kept, and
    transparency is dropped.

    Raises:
        BrokenImageError: it can't be decoded.
        MemoryError: there is not enough memory to decode it.
    """
    if not _is_of_phone(data):
        return _decoded(data, 1)
    found: list[NDArray[np.uint8]] = []
    _read(data, lambda image: found.append(np.array(image.convert("RGB"))))
    return found[0]


def shows_its_end(data: bytes) -> bool:
    """Returns whether an image is known to be complete without `inspect`.

    OpenCV decodes a JPEG that was cut short without an error, but one that ends with the end marker
    was not. Pillow decodes photos of phones, and refuses such files.
    """
    return _is_of_phone(data) or (data[:2], data[-2:]) == JPEG_ENDS


def as_stored(data: bytes) -> bytes:
    """Returns a HEIC or AVIF file as the JPEG that `checked` makes of it, other files as they are.

    Raises:
        BrokenImageError: it can't be decoded.
    """
    return _stored_jpeg(decode(data)) if _is_of_phone(data) else data


def decode_for_network(
    data: bytes, size: int = IMAGE_SIZE, tile: int | None = None
) -> NDArray[np.uint8]:
    """Decodes like `decode`, but a large JPEG to a half, a quarter or an eighth of its sides.

    The smallest crop keeps at least the network's `size` in pixels, so none loses visible detail;
    libjpeg averages pixels, while a later resize would skip them. Training, evaluation and
    prediction all use this function, whatever the augmentation. With tiles, of a side in pixels,
    they keep it.
    """
    data = as_stored(data)
    shorter = min(*_size_hw(data, ("JPEG",)), tile or MAX_PIXELS) / round(size / SMALLEST_CROP)
    return _decoded(data, next(factor for factor in REDUCED if factor == 1 or shorter >= factor))


def _read(data: bytes, use: Callable[[Image.Image], None]) -> Header:
    """Opens an image with Pillow and calls `use`."""
    if not data:
        raise BrokenImageError("file empty")
    if data.startswith(LFS_POINTER):
        raise BrokenImageError(
            "pointer of Git LFS, no image: git lfs pull in its repository fetches it"
        )
    width = height = 0
    formats = phone_formats() if _is_of_phone(data) else FORMATS
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            (width, height), image_format = image.size, str(image.format)
            most = MAX_JPEG_PIXELS if image_format == "JPEG" else MAX_PIXELS
            if width * height > most:
                million = f"at most {most // 10**6} million are read"
                raise BrokenImageError(f"image of too many pixels, {million}")
            orientation = _orientation(image)
            use(image)
    except UnidentifiedImageError:
        if data[8:12] in HEIF_BRANDS and "HEIF" not in phone_formats():
            raise BrokenImageError(WITHOUT_HEIF) from None
        if data[8:12] in (*HEIF_BRANDS, *AVIF_BRANDS):
            raise BrokenImageError(DAMAGED) from None
        raise BrokenImageError("no BMP, JPEG, PNG, TIFF or WebP image") from None
    except BrokenImageError:
        raise
    except MemoryError:
        raise MemoryError(f"for {width}×{height} pixels") from None
    except Exception:  # Pillow raises many types for damaged bytes: struct.error, KeyError, …
        _require_memory(height, width)
        raise BrokenImageError(DAMAGED) from None
    if image_format == "TIFF":  # Pillow and OpenCV read some types of its orientation differently
        height, width = decode(data).shape[:2]
    return Header(height, width, image_format, orientation)


def _is_of_phone(data: bytes) -> bool:
    """Returns whether a file has the container of HEIC and AVIF, which some videos have, too."""
    return data[4:8] == b"ftyp"


@cache
def phone_formats() -> tuple[str, ...]:
    """Returns the formats of `PHONE_FORMATS` that can be decoded here."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return PHONE_FORMATS[:1]
    register_heif_opener()
    return PHONE_FORMATS


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation; OpenCV and Pillow apply a TIFF's orientation themselves."""
    if image.format == "TIFF":
        return 1
    try:
        value = image.getexif().get(ORIENTATION_TAG)
    except Exception:  # damaged EXIF data; the image itself can be intact
        return 1
    return value if isinstance(value, int) and value in UPRIGHT else 1


def _require_memory(height: int, width: int) -> None:
    """Raises a MemoryError if an image of this size can't be decoded at the moment.

    Decoders report a lack of memory in the same way as damaged bytes.
    """
    try:
        np.empty(height * width * BYTES_PER_PIXEL, np.uint8)
    except MemoryError:
        raise MemoryError(f"for {width}×{height} pixels") from None


def to_jpeg(
    rgb: NDArray[np.uint8], quality: int = JPEG_QUALITY, *, smallest: bool = False
) -> bytes:
    """Encodes an image (H, W, 3) as a JPEG file of a quality up to 100.

    The `smallest` file takes two to three times as long, and has a thirtieth of the bytes less.

    Raises:
        BrokenImageError: a side is longer than `MAX_JPEG_SIDE`.
    """
    if max(rgb.shape) > MAX_JPEG_SIDE:
        raise BrokenImageError(f"image with a side of more than {MAX_JPEG_SIDE} pixels")
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, int(smallest)]
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def _stored_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    data = to_jpeg(rgb)
    if len(data) > MAX_STORED_BYTES:
        raise BrokenImageError("image too large to store")
    return data


def _size_hw(data: bytes, formats: tuple[str, ...] = FORMATS) -> tuple[int, int]:
    """Returns the size in an image's header; (0, 0) if it is damaged or of another format."""
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            return image.height, image.width
    except Exception:  # not of these formats, or damaged, which `_decoded` reports
        return 0, 0


def _decoded(data: bytes, reduction: int) -> NDArray[np.uint8]:
    flags = REDUCED[reduction] | cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        rgb = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error as error:  # for example too many pixels
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from None
        rgb = None
    if rgb is None:
        _require_memory(*_size_hw(data))
        raise BrokenImageError("image of a kind that can't be decoded")
    return rgb
