import pytest
from PIL import Image

from ssdcore.data.image_files import header_of, open_image_files
from ssdcore.sources.coco_writer import UNKNOWN_HW, ImageEntry, with_size


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (3, False), (6, True), (9, False)])
def test_sizes_as_stored_and_upright(tmp_path, suffix, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (80, 60)).save(tmp_path / f"a.{suffix}", exif=exif)
    with open_image_files(tmp_path) as files:
        image = with_size(files, ImageEntry(f"a.{suffix}"))
        assert (image.height, image.width) == ((80, 60) if turned else (60, 80))
        assert image.turn_upright == (orientation in (3, 6) and suffix != "tif")
        listed = ImageEntry(f"a.{suffix}", 60, 80)
        assert with_size(files, listed) == listed
        if suffix != "tif":  # which OpenCV and Pillow decode upright
            header = header_of(files, f"a.{suffix}")
            assert header is not None
            assert (header.height, header.width) == (60, 80)


def test_an_unreadable_image_has_a_size_for_convert_to_skip(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"<html>")
    with open_image_files(tmp_path) as files:
        assert header_of(files, "a.jpg") is header_of(files, "b.jpg") is None
        assert with_size(files, ImageEntry("a.jpg")) == ImageEntry("a.jpg", *UNKNOWN_HW)
