from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from ssdcore.data.augment_colour import brightness, contrast, hue, saturation
from ssdcore.data.sample import Sample
from tests.data.painted import NOTHING, objects
from tests.data.samples import assert_equal, copied, samples, seeds

COLOUR_CHANGES = (brightness, contrast, saturation, hue)
unhurried = settings(deadline=None, max_examples=40)


def by(change, amount, *pixels):
    """What becomes of a row of pixels (or an image) when exactly `amount` is drawn."""
    rgb = pixels[0] if isinstance(pixels[0], np.ndarray) else np.array([pixels], np.uint8)
    drawn = SimpleNamespace(uniform=lambda low, high: amount)
    return change(Sample(rgb, NOTHING), drawn, abs(amount)).rgb


@pytest.fixture
def noise(rng):
    rgb = rng.integers(0, 256, (50, 40, 3), np.uint8)
    return Sample(rgb, objects([[0.1, 0.2, 0.5, 0.9], [0, 0, 1, 1]], [4, 2], [False, True]))


@pytest.mark.parametrize("change", COLOUR_CHANGES)
@unhurried
@given(sample=samples(), seed=seeds)
def test_boxes_stay_and_so_does_the_input(change, sample, seed):
    before = copied(sample)
    after = change(sample, np.random.default_rng(seed), 0.5)
    assert (after.rgb.shape, after.rgb.dtype) == (before.rgb.shape, np.uint8)
    for array, old in zip(after.objects, before.objects, strict=True):
        np.testing.assert_array_equal(array, old)
    assert_equal(sample, before)
    assert_equal(after, change(before, np.random.default_rng(seed), 0.5))


@pytest.mark.parametrize("change", COLOUR_CHANGES)
def test_a_strength_changes_the_image_and_none_does_not(change, noise, rng):
    still = change(noise, rng, 0.0)
    assert_equal(still, noise)
    results = [change(noise, rng, 0.5).rgb for _ in range(6)]
    assert np.mean([np.abs(rgb.astype(int) - noise.rgb).mean() for rgb in results]) > 5
    assert not any(np.shares_memory(rgb, noise.rgb) for rgb in results)
    assert len({rgb.tobytes() for rgb in results}) == 6


@pytest.mark.parametrize("change", COLOUR_CHANGES)
def test_a_strength_of_none_draws_as_much_as_any(change, noise):
    def next_after(strength):
        rng = np.random.default_rng(3)
        change(noise, rng, strength)
        return rng.random()

    assert next_after(0.0) == next_after(0.3) != np.random.default_rng(3).random()


def brightened(rgb):
    return rgb[0, 0, 0] / 100 - 1


def spread(rgb):
    return (int(rgb[0, 1, 0]) - int(rgb[0, 0, 0])) / 100 - 1


def coloured(rgb):
    return (int(rgb[0, 0, 2]) - int(rgb[0, 0, 0])) / 100 - 1


def turned(rgb):
    steps = int(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV_FULL)[0, 0, 0])
    return (steps if steps < 128 else steps - 256) / 256


@pytest.mark.parametrize(
    ("change", "pixels", "measured"),
    [
        (brightness, [(100, 100, 100)], brightened),
        (contrast, [(75, 75, 75), (175, 175, 175)], spread),
        (saturation, [(75, 125, 175)], coloured),
        (hue, [(255, 0, 0)], turned),
    ],
)
def test_amounts_are_spread_evenly_within_the_strength(change, pixels, measured, rng):
    sample = Sample(np.array([pixels], np.uint8), NOTHING)
    amounts = np.array([measured(change(sample, rng, 0.4).rgb) for _ in range(400)])
    assert np.abs(amounts).max() <= 0.4 + 0.012  # pixels are whole numbers
    assert amounts.min() < -0.38
    assert amounts.max() > 0.38
    quarters = np.histogram(amounts, [-0.42, -0.2, 0, 0.2, 0.42])[0]
    assert quarters.min() > 65  # of 100, give or take 9


def test_brightness_by_hand():
    pixel = (10, 100, 200)
    assert by(brightness, 0.5, pixel).ravel().tolist() == [15, 150, 255]
    assert by(brightness, -0.5, pixel).ravel().tolist() == [5, 50, 100]
    assert by(brightness, -1.0, pixel).ravel().tolist() == [0, 0, 0]


def test_contrast_by_hand():
    pixels = (100, 100, 100), (200, 200, 200)  # mean 150
    assert by(contrast, 0.5, *pixels)[0, :, 0].tolist() == [75, 225]
    assert by(contrast, 4.0, *pixels)[0, :, 0].tolist() == [0, 255]
    assert by(contrast, -1.0, *pixels)[0, :, 0].tolist() == [150, 150]


def test_saturation_by_hand():
    pixel = (100, 150, 200)  # grey 0.299 · 100 + 0.587 · 150 + 0.114 · 200 = 141
    assert by(saturation, 1.0, pixel).ravel().tolist() == [59, 159, 255]
    assert by(saturation, -1.0, pixel).ravel().tolist() == [141, 141, 141]


@pytest.mark.parametrize(
    ("turn", "expected"), [(1 / 3, (0, 255, 0)), (0.5, (0, 255, 255)), (-1 / 3, (0, 0, 255))]
)
def test_hue_turns_red(turn, expected):
    np.testing.assert_allclose(by(hue, turn, (255, 0, 0)).ravel(), expected, atol=6)


def test_turns_of_hue_either_way_meet_and_grey_has_none(noise):
    np.testing.assert_array_equal(by(hue, -0.25, noise.rgb), by(hue, 0.75, noise.rgb))
    grey = np.repeat(noise.rgb[..., :1], 3, axis=2)
    np.testing.assert_array_equal(by(hue, 0.3, grey), grey)


def test_the_way_through_hsv_costs_little(noise):
    there_and_back = by(hue, -0.3, by(hue, 0.3, noise.rgb))
    difference = np.abs(there_and_back.astype(int) - noise.rgb)
    assert difference.mean() < 2  # OpenCV's bytes of hue: 256 steps there, 255 back
