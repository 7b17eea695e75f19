import cv2
import numpy as np
import pytest
from PIL import Image

from ssdcore.core.errors import InputError
from ssdcore.report.split_images import choose_examples
from tests.report.grey_images import write_split


def test_images_with_several_objects_come_first_and_those_without_last():
    objects = [0, 1, 30, 8, 0, 2, 12, 5]
    assert set(choose_examples(objects, 3)) == {3, 5, 7}
    assert choose_examples(objects, 9)[3:6] == [1, 6, 2]
    assert set(choose_examples(objects, 9)[6:]) == {0, 4}
    assert choose_examples([], 4) == []


def test_the_choice_is_spread_over_the_data_set_and_repeatable():
    """The first images of a file may be neighbours in a video."""
    chosen = choose_examples([3] * 1000, 4)
    assert chosen == choose_examples([3] * 1000, 4)
    assert len(set(chosen)) == 4
    assert max(chosen) - min(chosen) > 100


def test_an_image_is_read_in_red_green_blue(tmp_path, rng):
    images = write_split(tmp_path, 1)
    rgb = rng.integers(0, 256, (60, 80, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "1.png"), rgb[..., ::-1])
    np.testing.assert_array_equal(next(images.read(images.kept)), rgb)


def test_an_image_without_a_listed_size_is_upright_as_convert_stored_it(tmp_path):
    images, exif = write_split(tmp_path, 1), Image.Exif()
    rgb = np.full((60, 80, 3), 30, np.uint8)
    rgb[:30, :40], exif[0x0112] = 255, 3
    Image.fromarray(rgb[::-1, ::-1]).save(tmp_path / "1.png", exif=exif)
    for turn_upright, expected in ((False, rgb[::-1, ::-1]), (True, rgb)):
        listed = [image._replace(turn_upright=turn_upright) for image in images.kept]
        found = next(images.read(listed)).astype(int)
        assert abs(found - expected).mean() < 4


def test_a_changed_image_is_an_error_with_a_remedy(tmp_path):
    images = write_split(tmp_path, 2)
    (tmp_path / "1.png").unlink()
    cv2.imwrite(str(tmp_path / "2.png"), np.zeros((20, 30, 3), np.uint8))
    for image, reason in zip(images.kept, ("file missing", "size differs"), strict=True):
        message = rf"{image.file_name}: found .*{reason}.*dvc repro"
        with pytest.raises(InputError, match=message):
            list(images.read([image]))
