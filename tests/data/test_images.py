import io

import cv2
import numpy as np
import pytest
from coco_files import jpeg
from PIL import Image

from ssdcore.data.images import BrokenImageError, checked, decode, read_bytes


def encoded(mode: str, kind: str, size=(80, 60), **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 90 if mode != "RGB" else (200, 100, 50)).save(file, kind, **options)
    return file.getvalue()


def test_a_good_picture_passes_unchanged():
    data = jpeg()
    assert checked(data, 60, 80) is data
    assert decode(data).shape == (60, 80, 3)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "JPEG"), ("CMYK", "JPEG"), ("L", "PNG"), ("I;16", "PNG"), ("P", "PNG"), ("1", "PNG"),
     ("RGBA", "PNG"), ("RGB", "BMP"), ("RGB", "WEBP"), ("RGB", "TIFF")],
)  # fmt: skip
def test_other_kinds_decode_to_rgb(mode, kind):
    if mode == "RGBA":
        file = io.BytesIO()
        Image.new(mode, (80, 60), (9, 9, 9, 128)).save(file, kind)
        data = file.getvalue()
    else:
        data = encoded(mode, kind)
    rgb = decode(checked(data, 60, 80))
    assert rgb.shape == (60, 80, 3)
    assert rgb.dtype == np.uint8


def test_channels_are_red_green_blue():
    assert decode(encoded("RGB", "PNG"))[0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "file empty"),
        (b"<html>404</html>", "no picture of a known format"),
        (jpeg()[:-900], "picture damaged or cut short"),
        (jpeg()[:200], "picture damaged or cut short"),
        (jpeg(61, 80), "size differs from the annotation file's"),
        (jpeg(80, 60), "size differs from the annotation file's"),
    ],
)
def test_broken_pictures_have_a_reason(data, reason):
    with pytest.raises(BrokenImageError, match=f"^{reason}$"):
        checked(data, 60, 80)


def lying(orientation: int) -> bytes:
    """A picture 80 wide and 60 high, its left half white, with a note on how to turn it."""
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:, :40] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=exif, quality=95)
    return file.getvalue()


def test_orientation_is_ignored_where_the_stored_size_fits():
    data = lying(6)
    assert checked(data, 60, 80) is data
    assert decode(data).shape == (60, 80, 3)


def test_orientation_is_applied_where_only_the_upright_size_fits():
    rgb = decode(checked(lying(6), 80, 60))  # turned clockwise: the white half comes to the top
    assert rgb.shape == (80, 60, 3)
    assert rgb[:35].min() > 200
    assert rgb[45:].max() < 50


def test_names_may_hold_folders_but_not_leave(tmp_path):
    (tmp_path / "in" / "süß").mkdir(parents=True)
    (tmp_path / "in" / "süß" / "a.jpg").write_bytes(b"1")
    (tmp_path / "secret").write_bytes(b"2")
    assert read_bytes(tmp_path / "in", "süß/a.jpg") == b"1"
    for name, reason in [
        ("../secret", "file name leaves the image folder"),
        (str(tmp_path / "secret"), "file name leaves the image folder"),
        ("none.jpg", "file missing"),
        ("süß", "file unreadable"),
    ]:
        with pytest.raises(BrokenImageError, match=reason):
            read_bytes(tmp_path / "in", name)


def test_what_opencv_cannot_decode_is_broken():
    with pytest.raises(BrokenImageError):
        decode(b"")
    with pytest.raises(BrokenImageError):
        decode(b"no picture")


def test_decoding_is_what_opencv_does():
    data = jpeg()
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decode(data), bgr[..., ::-1])
