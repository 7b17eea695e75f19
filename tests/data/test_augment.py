import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from ssdcore.data import augment as module
from ssdcore.data.augment import Strengths, augment
from ssdcore.data.sample import Sample
from tests.data.painted import COLOURS, NOTHING, numbered, objects, painted
from tests.data.samples import (
    assert_boxes_on_paint,
    assert_equal,
    assert_sound,
    copied,
    samples,
    seeds,
)

ALL = Strengths(crop=1, zoom_out=1, flip=0.5, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
MOVES = Strengths(crop=0.7, zoom_out=0.5, flip=0.5)
COLOUR_NAMES = ("brightness", "contrast", "saturation", "hue")


@settings(deadline=None, max_examples=60)
@given(sample=samples(), seed=seeds)
def test_boxes_stay_inside_and_labels_follow_their_boxes(sample, seed):
    before = copied(sample)
    moved = augment(sample, MOVES, np.random.default_rng(seed))
    assert moved.rgb.shape == (300, 300, 3)
    assert_sound(moved, before)
    assert_sound(augment(sample, ALL, np.random.default_rng(seed)), before)
    assert_equal(sample, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (1, 500), (3, 2)])
def test_tiny_images(size, rng):
    for found in (objects([[0, 0, 1, 1]], [2]), NOTHING):
        sample = Sample(np.full((*size, 3), 9, np.uint8), found)
        for _ in range(20):
            after = augment(sample, ALL, rng)
            assert after.rgb.shape == (300, 300, 3)
            assert after.objects.labels.tolist() == found.labels.tolist()
            assert_sound(after, sample)


def test_without_strengths_the_image_is_only_resized(rng):
    sample = painted(rng)
    rgb, found = augment(sample, Strengths(), rng)
    np.testing.assert_array_equal(rgb, cv2.resize(sample.rgb, (300, 300)))
    for after, before in zip(found, sample.objects, strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", Strengths._fields)
def test_each_strength_does_its_part(name, rng):
    """Crop and hue may leave an image as it is: one draw in seven, and turns near none."""
    sample = painted(rng)
    off = augment(sample, Strengths(), rng)
    on = Strengths(**{name: 0.5 if name == "hue" else 1.0})
    results = [augment(sample, on, np.random.default_rng(seed)) for seed in range(6)]
    assert any((after.rgb != off.rgb).any() for after in results)
    moved = any(
        not np.array_equal(after.objects.boxes_yxyx, off.objects.boxes_yxyx) for after in results
    )
    assert moved == (name in ("crop", "zoom_out", "flip"))


@pytest.mark.parametrize("name", ["crop", "zoom_out", "flip"])
def test_probabilities_are_kept(name, rng, monkeypatch):
    happened = []
    monkeypatch.setattr(module, name, lambda sample, rng: happened.append(name) or sample)
    sample = Sample(numbered(4, 6), objects([[0, 0, 1, 0.5]], [1]))
    for _ in range(200):
        augment(sample, Strengths(**{name: 0.3}), rng)
    assert 40 <= len(happened) <= 80


def test_boxes_stay_on_paint_through_it_all(rng):
    checked = 0
    for _ in range(80):
        # Of an object that the crop leaves out, paint may remain: only boxes are looked up.
        sample = augment(painted(rng), MOVES, rng)
        assert_boxes_on_paint(sample, atol_px=2.6)
        checked += len(sample.objects.labels)
    assert checked > 100


def test_the_generator_decides_and_the_input_stays(rng):
    sample = painted(rng)
    before = copied(sample)
    for seed in range(5):
        first = augment(sample, ALL, np.random.default_rng(seed))
        assert_equal(first, augment(sample, ALL, np.random.default_rng(seed)))
        other = augment(sample, ALL, np.random.default_rng(seed + 100))
        assert (first.rgb != other.rgb).any()
        assert_equal(sample, before)


def test_colours_come_in_random_order_each_with_its_strength(monkeypatch):
    order = []
    for name in COLOUR_NAMES:

        def noting(sample, rng, strength, name=name):
            order.append((name, strength))
            return sample

        monkeypatch.setattr(module, name, noting)
    sample = Sample(np.full((4, 4, 3), COLOURS[1], np.uint8), NOTHING)
    strengths = Strengths(brightness=0.1, contrast=0.2, saturation=0.3, hue=0.4)
    for seed in range(12):
        augment(sample, strengths, np.random.default_rng(seed))
    rounds = [tuple(order[start : start + 4]) for start in range(0, len(order), 4)]
    expected = {(name, getattr(strengths, name)) for name in COLOUR_NAMES}
    assert all(set(names) == expected for names in rounds)
    assert len(set(rounds)) > 4
