import numpy as np

from ssdcore.geometry.boxes import (
    around_rotated,
    cyxhw_to_yxyx,
    xywh_px_to_yxyx,
    yxyx_to_cyxhw,
    yxyx_to_xywh_px,
)


def test_centre_and_corner_formats_are_inverse(rng):
    low, size = rng.random((50, 2)) * 0.7, rng.random((50, 2)) * 0.3
    boxes = np.concatenate([low, low + size], axis=1).astype(np.float32)
    np.testing.assert_allclose(cyxhw_to_yxyx(yxyx_to_cyxhw(boxes)), boxes, atol=1e-6)


def test_pixels_by_hand():
    box = np.array([[30.0, 10.0, 60.0, 20.0]])  # x 30 to 90 of 300, y 10 to 30 of 100
    fractions = xywh_px_to_yxyx(box, height=100, width=300)
    np.testing.assert_allclose(fractions, [[0.1, 0.1, 0.3, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(yxyx_to_xywh_px(fractions, 100, 300), box, rtol=1e-6)


def test_the_box_around_a_rotated_one_by_hand():
    box = 10, 20, 30, 40
    for degrees, centre, expected in (
        (90, (25, 40), (5, 25, 40, 30)),
        (90, (10, 20), (-30, 20, 40, 30)),  # clockwise, as y grows downwards
        (-90, (10, 20), (10, -10, 40, 30)),
        (180, (25, 40), box),
        (45, (25, 40), (25 - 35 / 2**0.5, 40 - 35 / 2**0.5, 70 / 2**0.5, 70 / 2**0.5)),
    ):
        np.testing.assert_allclose(around_rotated(box, degrees, centre), expected, atol=1e-9)
