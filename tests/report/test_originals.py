from pathlib import Path

import cv2
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoImage
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import open_image_files
from ssdcore.report.originals import read_original


def test_an_image_is_read_in_red_green_blue(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), rgb[..., ::-1])
    with open_image_files(tmp_path) as images:
        read = read_original(images, CocoImage(1, "a.png", 20, 30))
    np.testing.assert_array_equal(read, rgb)


@pytest.mark.parametrize(("name", "reason"), [("b.png", "file missing"), ("a.png", "size differs")])
def test_an_image_that_is_another_one_now_is_named(tmp_path: Path, name: str, reason: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 30, 3), np.uint8))
    with (
        open_image_files(tmp_path) as images,
        pytest.raises(InputError, match=rf"{name}: found .*{reason}.*dvc repro"),
    ):
        read_original(images, CocoImage(1, name, 30, 20))
