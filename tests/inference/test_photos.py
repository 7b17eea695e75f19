import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from ssdcore.data.images import BrokenImageError, decode, decode_for_network
from ssdcore.inference.photos import read_photo
from tests.coco_files import jpeg

KINDS = ["JPEG", "PNG", "WEBP", "TIFF"]


def ramp(kind: str, orientation: int, size: tuple[int, int] = (80, 60)) -> bytes:
    """An image that looks different in every orientation, with EXIF's note of one."""
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
    photo = read_photo(data)
    assert (photo.height, photo.width, 3) == expected.shape
    assert abs(photo.rgb - expected).mean() < 4
    assert photo.whole() is photo.rgb  # decoded once


def test_a_large_photo_is_decoded_smaller_for_the_network_and_whole_to_draw():
    photo = read_photo(ramp("JPEG", 6, (2405, 2001)))
    assert photo.rgb.shape == (1203, 1001, 3)
    assert (photo.height, photo.width) == (2405, 2001)
    whole = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(photo.encoded))), int)
    assert abs(photo.whole() - whole).mean() < 4


def test_bytes_files_and_pixels_are_read_alike(tmp_path):
    data = jpeg()
    (tmp_path / "a.jpg").write_bytes(data)
    for source in (data, tmp_path / "a.jpg", decode(data)):
        photo = read_photo(source)
        np.testing.assert_array_equal(photo.rgb, decode_for_network(data))
        np.testing.assert_array_equal(photo.whole(), decode(data))
        assert (photo.height, photo.width) == (60, 80)


def test_damaged_exif_data_are_ignored():
    data = ramp("WEBP", 6)
    photo = read_photo(data.replace(b"MM\0*", b"XX\0*"))
    assert (photo.height, photo.width) == (60, 80)


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
def test_an_unusable_source_has_a_reason(source, reason):
    with pytest.raises(BrokenImageError, match=f"^{reason}$"):
        read_photo(source)


def test_a_missing_file_and_a_folder_have_a_reason(tmp_path):
    with pytest.raises(BrokenImageError, match="file missing"):
        read_photo(tmp_path / "a.jpg")
    with pytest.raises(BrokenImageError, match="file unreadable"):
        read_photo(tmp_path)
