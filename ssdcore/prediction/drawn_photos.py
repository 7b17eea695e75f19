"""Photos with what was found in them drawn on, as files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import InputError
from ssdcore.core.files import replacing
from ssdcore.data.images import BrokenImageError
from ssdcore.inference.photo_detector import NOTHING, Seen
from ssdcore.inference.photos import Source, read_upright
from ssdcore.prediction.photo_files import PhotoFile
from ssdcore.report.box_annotations import draw_detections
from ssdcore.report.drawing import encode_jpeg

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
    with replacing(out / photo.place) as part:
        part.write_bytes(encode_jpeg(draw_detections(rgb, seen.detections, classes), QUALITY))
    return photo, seen
