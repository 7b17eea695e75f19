import numpy as np
import pytest

from ssdcore.data.preprocess import to_network_input


def test_a_constant_image_by_hand():
    image = to_network_input(np.full((17, 40, 3), (0, 128, 255), np.uint8))
    assert image.shape == (3, 300, 300)
    assert image.dtype == np.float32
    assert image.flags.c_contiguous
    by_hand = [-0.485 / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    for channel, value in zip(image, by_hand, strict=True):
        np.testing.assert_allclose(channel, value, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(40, 90), (90, 40), (600, 900), (300, 300)])
def test_rows_stay_rows_with_any_aspect_ratio(height, width):
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[: height // 2] = 255
    image = to_network_input(rgb)
    assert (image[:, :145] > 2).all()
    assert (image[:, 155:] < -1).all()


def test_the_input_is_unchanged(rng):
    rgb = rng.integers(0, 256, (300, 300, 3), np.uint8)
    before = rgb.copy()
    to_network_input(rgb)
    np.testing.assert_array_equal(rgb, before)
