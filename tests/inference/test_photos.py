import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from ssdcore.data.images import BrokenImageError, decode, decode_for_network
from ssdcore.inference.photos import read_photo, read_upright
from tests.coco_files import jpeg

KINDS = ["JPEG", "PNG", "WEBP", "TIFF"]


def ramp(kind: str, orientation: int, size: tuple[int, int] = (80, 60)) -> bytes:
    """An image that looks different however it is turned, with a camera's note."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    y, x = np.mgrid[:height, :width]
    pixels[..., 0], pixels[..., 1] = 200 * y // height, 200 * x // width
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright_as_pillow_makes_them(kind, orientation):
    data = ramp(kind, orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), int)
    photo, whole = read_photo(data), read_upright(data)
    assert (photo.height, photo.width, 3) == expected.shape == whole.shape
    assert abs(photo.rgb - expected).mean() < 4
    np.testing.assert_array_equal(whole, photo.rgb)


def test_a_large_photo_is_decoded_smaller_and_its_size_is_the_whole_ones():
    photo = read_photo(ramp("JPEG", 6, (2405, 2001)))
    assert photo.rgb.shape == (1203, 1001, 3)
    assert (photo.height, photo.width) == (2405, 2001)
    assert read_upright(ramp("JPEG", 6, (2405, 2001))).shape == (2405, 2001, 3)


def test_bytes_files_and_pixels_are_one_image(tmp_path):
    data = jpeg()
    (tmp_path / "a.jpg").write_bytes(data)
    for source in (data, tmp_path / "a.jpg", decode(data)):
        photo = read_photo(source)
        np.testing.assert_array_equal(photo.rgb, decode_for_network(data))
        np.testing.assert_array_equal(read_upright(source), decode(data))
        assert photo[1:] == (60, 80)


def test_a_damaged_note_leaves_the_image_as_it_is():
    data = ramp("WEBP", 6)
    photo = read_photo(data.replace(b"MM\0*", b"XX\0*"))
    assert (photo.height, photo.width) == (60, 80)


@pytest.mark.parametrize("read", [read_photo, read_upright])
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "file empty"),
        (BrokenImageError("not to be had"), "not to be had"),
        (jpeg()[:-900], "image damaged or cut short"),
        (np.zeros((4, 4, 3), np.float32), "pixels float32 .4, 4, 3., not uint8 .H, W, 3."),
        (np.zeros((4, 4), np.uint8), "pixels uint8 .4, 4., not uint8 .H, W, 3."),
        (np.zeros((4, 4, 4), np.uint8), "pixels uint8 .4, 4, 4., not uint8 .H, W, 3."),
        (np.zeros((0, 4, 3), np.uint8), "pixels uint8 .0, 4, 3., not uint8 .H, W, 3."),
    ],
)
def test_what_is_no_image_has_a_reason(read, source, reason):
    with pytest.raises(BrokenImageError, match=f"^{reason}$"):
        read(source)


def test_files_that_are_not_there_or_none_have_a_reason(tmp_path):
    with pytest.raises(BrokenImageError, match="file missing"):
        read_photo(tmp_path / "a.jpg")
    with pytest.raises(BrokenImageError, match="file unreadable"):
        read_photo(tmp_path)
