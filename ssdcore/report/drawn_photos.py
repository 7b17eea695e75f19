"""Photos with what was found in them drawn on, as files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ssdcore.data.coco import CocoClass
from ssdcore.data.images import BrokenImageError
from ssdcore.data.photo_files import PhotoFile
from ssdcore.data.photos import Source, read_upright
from ssdcore.detection.photo_detector import NOTHING, Seen
from ssdcore.errors import InputError
from ssdcore.files import replacing
from ssdcore.report.drawing import draw_boxes, encode_jpeg
from ssdcore.report.marks import mark_detections

QUALITY = 92
"""Of the JPEG: higher than of the page's, which has to be small."""


def require_other_places(photos: Iterable[PhotoFile], out: Path) -> None:
    """Refuses to draw over the photos themselves.

    Raises:
        InputError: `out` is where one of them is.
    """
    originals = {photo.source.resolve() for photo in photos if isinstance(photo.source, Path)}
    for photo in photos:
        if (out / photo.place).resolve() in originals:
            raise InputError("--out", str(out), f"another folder than that of {photo.name}")


def draw_photo(
    photo: PhotoFile, source: Source, seen: Seen, classes: Sequence[CocoClass], out: Path
) -> tuple[PhotoFile, Seen]:
    """Writes the photo with its boxes below `out`, and returns what was found in it.

    Where it turns out to be broken only now, it is returned as such.
    """
    if seen.fault:
        return photo, seen
    try:
        rgb = read_upright(source)
    except BrokenImageError as error:
        return photo, Seen(NOTHING, 0, 0, str(error))
    marks = mark_detections(seen.detections, classes, seen.height, seen.width)
    with replacing(out / photo.place) as part:
        part.write_bytes(encode_jpeg(draw_boxes(rgb, *marks), QUALITY))
    return photo, seen
