"""Pictures of the data set, read again after convert took them in."""

from ssdcore.coco.annotations import CocoImage
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import Pictures
from ssdcore.data.images import BrokenImageError, checked, decode
from ssdcore.report.drawing import Picture


def read_original(pictures: Pictures, image: CocoImage) -> Picture:
    """Reads a picture (H, W, 3) as convert stored it.

    Raises:
        InputError: it is no longer what convert found.
    """
    try:
        return decode(checked(pictures.read(image.file_name), image.height, image.width))
    except BrokenImageError as error:
        remedy = "Run dvc repro again, it takes in what has changed"
        raise InputError(
            image.file_name, str(error), "the picture that was converted", remedy
        ) from None
