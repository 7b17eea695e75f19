"""Images of the data set, read again after convert took them in."""

from ssdcore.coco.annotations import CocoImage
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles
from ssdcore.data.images import BrokenImageError, checked, decode
from ssdcore.report.drawing import Rgb


def read_original(image_files: ImageFiles, image: CocoImage) -> Rgb:
    """Reads an image (H, W, 3) as convert stored it.

    Raises:
        InputError: it is no longer what convert found.
    """
    try:
        return decode(checked(image_files.read(image.file_name), image.height, image.width))
    except BrokenImageError as error:
        remedy = "Run dvc repro again, it takes in what has changed"
        raise InputError(
            image.file_name, str(error), "the image that was converted", remedy
        ) from None
