from math import floor

import numpy as np
import pytest

from ssdcore.data.preprocess import (
    DEVIATION_RGB,
    MEAN_RGB,
    PADDING_RGB,
    NetworkInput,
    to_network_input,
)
from ssdcore.geometry.boxes import from_view, to_view
from tests.data.samples import extent_px, painted

LETTERBOX = NetworkInput(300, "letterbox")


def test_a_constant_image_by_hand():
    image = to_network_input(np.full((17, 40, 3), (0, 128, 255), np.uint8))
    assert image.shape == (3, 300, 300)
    assert image.dtype == np.float32
    assert image.flags.c_contiguous
    by_hand = [-0.485 / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    for channel, value in zip(image, by_hand, strict=True):
        np.testing.assert_allclose(channel, value, rtol=1e-5)


def by_hand(rgb, side):
    """Bilinear, pixel centres at halves, not antialiased, not rounded; a pixel at a time."""
    height, width = rgb.shape[:2]
    resized = np.zeros((side, side, 3))
    for row, column in np.ndindex(side, side):
        y, x = (row + 0.5) * height / side - 0.5, (column + 0.5) * width / side - 0.5
        for i in (floor(y), floor(y) + 1):
            for j in (floor(x), floor(x) + 1):
                pixel = rgb[min(max(i, 0), height - 1), min(max(j, 0), width - 1)]
                resized[row, column] += (1 - abs(y - i)) * (1 - abs(x - j)) * pixel
    return resized


@pytest.mark.parametrize("hw", [(1, 1), (2, 5), (40, 30), (80, 80), (97, 211)])
def test_in_float_nothing_is_rounded(hw, rng):
    rgb = rng.integers(0, 256, (*hw, 3), np.uint8)
    image = to_network_input(rgb, NetworkInput(40, "stretch_float"))
    levels = image.transpose(1, 2, 0) * DEVIATION_RGB + MEAN_RGB
    np.testing.assert_allclose(levels, by_hand(rgb, 40), atol=1e-3)


@pytest.mark.parametrize(
    ("hw", "filled"),
    [
        ((300, 300), (300, 300)),
        ((240, 320), (225, 300)),
        ((640, 480), (300, 225)),
        ((1, 1), (300, 300)),
        ((3, 4000), (1, 300)),
        ((600, 599), (300, 300)),  # 299.5 is rounded up
    ],
)
def test_a_letterbox_keeps_the_aspect_ratio_and_pads_the_rest(hw, filled):
    rgb = LETTERBOX.resized(np.full((*hw, 3), 200, np.uint8))
    assert rgb.shape == (300, 300, 3)
    height, width = filled
    assert (rgb[:height, :width] == 200).all()
    assert (rgb[height:] == PADDING_RGB).all()
    assert (rgb[:, width:] == PADDING_RGB).all()
    assert abs(to_network_input(rgb, LETTERBOX)[:, height:]).max(initial=0) < 0.02


@pytest.mark.parametrize(
    "network_input", [NetworkInput(), LETTERBOX, NetworkInput(512, "letterbox")]
)
@pytest.mark.parametrize("hw", [(80, 120), (301, 97), (97, 301), (700, 1100), (480, 640)])
def test_boxes_are_on_their_paint_in_the_input_and_return_within_half_a_pixel(
    network_input, hw, rng
):
    """Of a stretched image too."""
    sample = painted(rng, *hw)
    view = network_input.view(np.array(hw))
    boxes = to_view(sample.objects.boxes_yxyx, view)
    rgb, per_pixel = network_input.resized(sample.rgb), network_input.size / max(hw)
    for box, label in zip(boxes, sample.objects.labels, strict=True):
        np.testing.assert_allclose(
            box * network_input.size, extent_px(rgb, label), atol=1 + 2 * per_pixel
        )
    returned = from_view(boxes, view) * np.array(hw * 2)
    expected = sample.objects.boxes_yxyx * np.array(hw * 2)
    np.testing.assert_allclose(returned, expected, atol=0.01)
    assert (from_view(np.array([[0.5, 0.5, 1, 1]]), view)[:, 2:] == 1).all()  # not in the padding
