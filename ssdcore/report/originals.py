"""Pictures of the data set, read again after convert took them in."""

from pathlib import Path

from ssdcore.data.coco import CocoImage
from ssdcore.data.images import BrokenImageError, checked, decode, read_bytes
from ssdcore.errors import InputError
from ssdcore.report.drawing import Picture


def read_original(folder: Path, image: CocoImage) -> Picture:
    """Reads a picture (H, W, 3) as convert stored it.

    Raises:
        InputError: it is no longer what convert found.
    """
    try:
        return decode(checked(read_bytes(folder, image.file_name), image.height, image.width))
    except BrokenImageError as error:
        place = str(folder / image.file_name)
        remedy = "Run dvc repro again, it takes in what has changed"
        raise InputError(place, str(error), "the picture that was converted", remedy) from None
