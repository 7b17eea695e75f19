import io
import math
import resource
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from ssdcore.data import images
from ssdcore.data.augment import CROP_SIDES
from ssdcore.data.images import (
    BrokenImageError,
    checked,
    decode,
    decode_for_network,
    inspect,
    read_header,
    upright,
)
from ssdcore.inference.photo_detector import read_photo
from tests.coco_files import jpeg
from tests.damage import Reader, faults


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(mode: str, kind: str, colour=90) -> bytes:
    return saved(Image.new(mode, (80, 60), colour), kind)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "JPEG"), ("CMYK", "JPEG"), ("L", "PNG"), ("I;16", "PNG"), ("P", "PNG"), ("1", "PNG"),
     ("RGBA", "PNG"), ("RGB", "BMP"), ("RGB", "WEBP"), ("RGB", "TIFF")],
)  # fmt: skip
def test_other_formats_decode_to_rgb(mode, kind):
    rgb = decode(checked(plain(mode, kind, (9, 9, 9, 128) if mode == "RGBA" else 90), 60, 80))
    assert rgb.shape == (60, 80, 3)
    assert rgb.dtype == np.uint8


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "file empty"),
        (b"<html>404</html>", "no BMP, JPEG, PNG, TIFF or WebP image"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "pointer of Git LFS, no image: git lfs pull in its repository fetches it",
        ),
        (plain("P", "GIF"), "no BMP, JPEG, PNG, TIFF or WebP image"),
        (jpeg()[:-900], "image damaged or cut short"),
        (jpeg()[:200], "image damaged or cut short"),
        (jpeg(61, 80), "size differs from the annotation file's"),
        (jpeg(80, 60), "size differs from the annotation file's"),
    ],
)
def test_broken_images_have_a_reason(data, reason):
    with pytest.raises(BrokenImageError, match=f"^{reason}$"):
        checked(data, 60, 80)


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_photos_of_phones_are_stored_as_jpeg(kind):
    """Training, prediction and all exports then read what OpenCV decodes."""
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    pixels = np.full((60, 80, 3), (200, 100, 50), np.uint8)
    pixels[:, :40] = 10
    data = saved(Image.fromarray(pixels), kind, quality=95)
    assert read_header(data)[:3] == (60, 80, kind)
    stored = checked(data, 60, 80)
    assert stored.startswith(b"\xff\xd8")
    for rgb in (decode(data), decode(stored)):
        np.testing.assert_allclose(rgb, pixels, atol=30)
    np.testing.assert_array_equal(decode_for_network(data), decode_for_network(stored))
    with pytest.raises(BrokenImageError, match="size differs"):
        checked(data, 61, 80)
    with pytest.raises(BrokenImageError, match=r"^image damaged or cut short$"):
        checked(data[:60], 60, 80)


def test_a_heic_file_names_the_package_that_reads_it(monkeypatch):
    heic = b"\0\0\0\x18ftypheic" + b"\0" * 99
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    images.phone_formats.cache_clear()
    try:
        with pytest.raises(BrokenImageError, match="pip install pillow-heif"):
            read_header(heic)
    finally:
        images.phone_formats.cache_clear()
    with pytest.raises(BrokenImageError, match="no BMP, JPEG"):  # a video
        read_header(b"\0\0\0\x18ftypisom" + b"\0" * 99)


def test_orientation_is_ignored_if_the_stored_size_matches():
    data = ramp("JPEG", **exif(6))
    assert checked(data, 60, 80) is data
    assert decode(data).shape == (60, 80, 3)


def noisy(size) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_upper_8_of_16_bits_are_kept(kind, channels):
    deep = np.full((60, 80, channels), 40_000, np.uint16)
    deep[:, 40:] = 9_000
    data = cv2.imencode(kind, deep)[1].tobytes()
    rgb = decode(checked(data, 60, 80)).astype(int)
    np.testing.assert_allclose(rgb[0, 0], 40_000 / 256, atol=1)
    np.testing.assert_allclose(rgb[0, 79], 9_000 / 256, atol=1)


def test_cmyk_is_not_inverted():
    data = saved(Image.new("CMYK", (80, 60), (200, 30, 10, 20)), "JPEG", quality=95)
    np.testing.assert_allclose(decode(checked(data, 60, 80))[0, 0], (51, 207, 226), atol=3)


def test_the_first_of_several_pages_is_used():
    first, second = (Image.new("RGB", (80, 60), colour) for colour in ("red", "blue"))
    data = saved(first, "TIFF", save_all=True, append_images=[second])
    assert decode(checked(data, 60, 80))[0, 0].tolist() == [255, 0, 0]


def test_an_image_that_only_pillow_decodes_is_broken():
    data = cv2.imencode(".tiff", np.zeros((60, 80), np.float32))[1].tobytes()
    with pytest.raises(BrokenImageError, match="of a kind that can"):
        checked(data, 60, 80)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.999])
def test_a_jpeg_truncated_anywhere_is_detected(progressive, share):
    data = saved(noisy((640, 480)), "JPEG", progressive=progressive)
    assert checked(data, 480, 640) is data
    with pytest.raises(BrokenImageError, match="image damaged or cut short"):
        checked(data[: int(len(data) * share)], 480, 640)


KINDS = ["JPEG", "PNG", "WEBP", "TIFF"]


@pytest.mark.parametrize("kind", [*KINDS, "BMP"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # from Pillow, about damaged data
def test_damaged_bytes_raise_only_broken_image_errors(kind, tmp_path):
    def read(path):
        data = path.read_bytes()
        header = read_header(data)
        stored = checked(data, *header.upright_hw)
        assert decode(stored).shape[:2] == header.upright_hw
        assert decode_for_network(stored).shape[2] == 3

    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = saved(noisy((30, 20)), kind, **({} if kind == "BMP" else exif(6)))
    assert list(faults(Reader("a", data, read, (BrokenImageError,)), 50, tmp_path)) == []
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert grown_kib << 10 < images.MAX_JPEG_PIXELS * images.BYTES_PER_PIXEL / 4


def exif(orientation: int) -> dict[str, Image.Exif]:
    found = Image.Exif()
    found[0x0112] = orientation
    return {"exif": found}


def ramp(kind: str, **options: object) -> bytes:
    """An image 80 wide and 60 high that looks different in every orientation."""
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.mgrid[:60, :80] * 3
    return saved(Image.fromarray(pixels), kind, **options)


def test_a_lack_of_memory_is_no_fault_of_the_image(monkeypatch):
    """Pillow and OpenCV report it like damaged bytes, so they are asked again later."""
    whole, damaged = jpeg(), jpeg()[:-900]
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "load", lambda image: (_ for _ in ()).throw(MemoryError))
        patch.setattr("PIL.ImageFile.ImageFile.load", Image.Image.load)
        with pytest.raises(MemoryError, match="for 80×60 pixels"):
            checked(whole, 60, 80)
    monkeypatch.setattr(images, "BYTES_PER_PIXEL", 1 << 50)
    assert checked(whole, 60, 80) is whole
    for read in (inspect, decode):
        with pytest.raises(MemoryError, match="for 80×60 pixels"):
            read(damaged if read is inspect else whole[:-1200].replace(b"\xff\xda", b"\xff\xff"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_and_pixels_are_turned_as_pillow_turns_them(kind, orientation):
    data = ramp(kind, **exif(orientation))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), int)
    if kind == "TIFF":  # Pillow has turned it when it opens it, and turns it twice here
        expected = np.asarray(Image.open(io.BytesIO(data)), int)
    header = read_header(data)
    assert header == inspect(data)
    assert header.upright_hw == expected.shape[:2]
    assert abs(upright(decode(data), header.orientation).astype(int) - expected).mean() < 4
    if header.upright_hw == (80, 60):
        assert abs(decode(checked(data, 80, 60)).astype(int) - expected).mean() < 4
    turned = checked(data, *header.upright_hw, turn_upright=True)
    assert abs(decode(turned).astype(int) - expected).mean() < 4
    if header.orientation == 1:
        assert turned is data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", [0, 9, 65535])
@pytest.mark.filterwarnings("ignore::UserWarning")  # from Pillow, about the tag
def test_an_orientation_that_makes_no_sense_is_ignored(kind, orientation):
    data = ramp(kind, **exif(orientation))
    assert read_header(data) == (60, 80, kind, 1)
    assert checked(data, 60, 80) is data


def png_with_size(width, height):
    """A PNG of 8 × 8 pixels with another size in its header."""
    whole = saved(Image.new("1", (8, 8)), "PNG")
    body = whole[12:16] + struct.pack(">II", width, height) + whole[24:29]
    return whole[:12] + body + struct.pack(">I", zlib.crc32(body)) + whole[33:]


def test_a_bomb_is_not_decoded():
    """By convert, by prediction and by the server: all read the header first."""
    for read in (lambda data: checked(data, 10_001, 10_000), read_header, read_photo):
        with pytest.raises(BrokenImageError, match="too many pixels, at most 100 million are read"):
            read(png_with_size(10_000, 10_001))
    with pytest.raises(BrokenImageError, match="damaged or cut short"):
        read_photo(png_with_size(10_000, 10_000))
    assert checked(png_with_size(8, 8), 8, 8)


def test_a_photo_of_200_million_pixels_is_accepted():
    """Without a warning: in tests, warnings are errors."""
    data = saved(Image.new("L", (16_320, 12_240), 128), "JPEG")
    assert checked(data, 12_240, 16_320) is data
    assert decode_for_network(data).shape == (1530, 2040, 3)


def test_an_image_too_large_for_mindrecord_becomes_a_jpeg(monkeypatch):
    data = plain("RGB", "BMP", (200, 100, 50))
    monkeypatch.setattr(images, "MAX_STORED_BYTES", len(data) - 1)
    stored = checked(data, 60, 80)
    assert stored[:2] == b"\xff\xd8"
    np.testing.assert_allclose(decode(stored)[0, 0], (200, 100, 50), atol=3)
    monkeypatch.setattr(images, "MAX_STORED_BYTES", 100)
    with pytest.raises(BrokenImageError, match="image too large to store"):
        checked(data, 60, 80)


def test_a_reduced_image_is_the_mean_of_the_full_one():
    ramp = np.zeros((2000, 2000, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.mgrid[:2000, :2000] // 8
    data = saved(Image.fromarray(ramp), "JPEG", quality=95)
    small = cv2.resize(decode(data), (1000, 1000), interpolation=cv2.INTER_AREA)
    assert np.abs(decode_for_network(data).astype(int) - small).max() <= 4


def test_other_formats_and_small_jpegs_are_decoded_in_full_size():
    for data in (jpeg(), saved(Image.new("RGB", (2100, 2100)), "PNG")):
        np.testing.assert_array_equal(decode_for_network(data), decode(data))
    with pytest.raises(BrokenImageError):
        decode_for_network(b"<html>")


@pytest.mark.parametrize(("size", "shorter"), [(300, 1000), (512, 1707)])
def test_the_shorter_side_suffices_for_the_smallest_crop(size, shorter):
    assert math.isclose(shorter * CROP_SIDES[0], size, rel_tol=1e-3)
    for side, decoded in ((2 * shorter, shorter), (2 * shorter - 1, 2 * shorter - 1)):
        data = saved(Image.new("L", (side + 80, side)), "JPEG")
        assert decode_for_network(data, size).shape[0] == decoded


def test_orientation_is_ignored_in_reduced_images_too():
    data = saved(Image.new("RGB", (2400, 2000)), "JPEG", **exif(6))
    assert decode_for_network(data).shape == (1000, 1200, 3)
