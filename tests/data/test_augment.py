import cv2
import numpy as np
import pytest
from painted import COLOURS, NOTHING, extent_px, numbered, objects, painted

from ssdcore.data import augment as module
from ssdcore.data.augment import (
    Strengths,
    augment,
    brightness,
    contrast,
    crop,
    flip,
    hue,
    saturation,
    zoom_out,
)
from ssdcore.data.preprocess import MEAN_RGB
from ssdcore.data.sample import Sample

ALL = Strengths(crop=1, zoom_out=1, flip=0.5, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
COLOUR_CHANGES = (brightness, contrast, saturation, hue)
ALWAYS_CUT = (0.0,)  # in place of the published choices of a least IoU: any window will do


def copied(sample):
    return Sample(sample.rgb.copy(), type(sample.objects)(*(a.copy() for a in sample.objects)))


def assert_equal(a, b):
    for left, right in zip((a.rgb, *a.objects), (b.rgb, *b.objects), strict=True):
        np.testing.assert_array_equal(left, right)


def assert_boxes_on_paint(sample, atol_px=0.01):
    size = np.array(sample.rgb.shape[:2] * 2)
    for box, label in zip(sample.objects.boxes_yxyx, sample.objects.labels, strict=True):
        np.testing.assert_allclose(box * size, extent_px(sample.rgb, label), atol=atol_px)


def one_pixel(*rgb):
    return np.array([[rgb]], np.uint8)


def test_flip_by_hand(rng):
    sample = flip(Sample(numbered(2, 10), objects([[0.1, 0.2, 0.5, 0.3]], [3], [True])), rng)
    assert sample.rgb[1, :, 1].tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    np.testing.assert_allclose(sample.objects.boxes_yxyx, [[0.1, 0.7, 0.5, 0.8]], rtol=1e-6)
    assert (sample.objects.labels.tolist(), sample.objects.crowd.tolist()) == ([3], [True])


def test_flip_moves_boxes_with_pixels_and_undoes_itself(rng):
    for _ in range(20):
        sample = painted(rng)
        there = flip(sample, rng)
        assert_boxes_on_paint(there)
        assert (there.rgb != sample.rgb).any()
        back = flip(there, rng)
        np.testing.assert_array_equal(back.rgb, sample.rgb)
        np.testing.assert_allclose(
            back.objects.boxes_yxyx, sample.objects.boxes_yxyx, rtol=0, atol=1e-6
        )


def test_zoom_out_keeps_boxes_on_paint_and_all_pixels(rng):
    zooms = []
    for _ in range(60):
        sample = painted(rng, 30, 54)
        zoomed = zoom_out(sample, rng)
        assert_boxes_on_paint(zoomed)
        assert zoomed.objects.boxes_yxyx.dtype == np.float32
        height, width = zoomed.rgb.shape[:2]
        assert width / height == pytest.approx(54 / 30, rel=0.04)
        filled = (zoomed.rgb == MEAN_RGB.round()).all(axis=2)
        assert filled.sum() == height * width - 30 * 54
        np.testing.assert_array_equal(zoomed.rgb[~filled].reshape(30, 54, 3), sample.rgb)
        zooms.append(height / 30)
    assert 1 <= min(zooms) < 1.3
    assert 3.7 < max(zooms) <= 4


def seen_naively(sample, window_px):
    """What the docstring of `crop` says stays in a window, object by object."""
    height, width = sample.rgb.shape[:2]
    top, left, bottom, right = window_px
    kept = []
    for (y1, x1, y2, x2), label, crowd in zip(*sample.objects, strict=True):
        y1, x1, y2, x2 = y1 * height, x1 * width, y2 * height, x2 * width
        centred = top < (y1 + y2) / 2 < bottom and left < (x1 + x2) / 2 < right
        touched = y1 < bottom and top < y2 and x1 < right and left < x2
        if touched if crowd else centred:
            box = [
                (max(y1, top) - top) / (bottom - top),
                (max(x1, left) - left) / (right - left),
                (min(y2, bottom) - top) / (bottom - top),
                (min(x2, right) - left) / (right - left),
            ]
            kept.append((box, int(label), bool(crowd)))
    return kept


def random_objects(rng, count):
    low, size = rng.random((count, 2)) * 0.7, 0.05 + rng.random((count, 2)) * 0.25
    return objects(
        np.concatenate([low, low + size], axis=1).tolist(),
        rng.integers(1, 9, count).tolist(),
        [False, *(rng.random(count - 1) < 0.3).tolist()],
    )


def test_crop_against_object_by_object(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", ALWAYS_CUT)
    left_out = 0
    for _ in range(200):
        sample = Sample(numbered(97, 131), random_objects(rng, 6))
        rgb, found = crop(sample, rng)
        (top, left), (height, width) = rgb[0, 0, :2].astype(int), rgb.shape[:2]
        np.testing.assert_array_equal(rgb, sample.rgb[top : top + height, left : left + width])
        assert 0.29 * 97 < height <= 97
        assert 0.29 * 131 < width <= 131
        assert 0.5 <= width / height <= 2

        expected = seen_naively(sample, (top, left, top + height, left + width))
        assert found.labels.tolist() == [label for _, label, _ in expected]
        assert found.crowd.tolist() == [crowd for _, _, crowd in expected]
        np.testing.assert_allclose(found.boxes_yxyx, [box for box, _, _ in expected], atol=1e-5)
        assert not found.crowd.all()
        assert found.boxes_yxyx.dtype == np.float32
        assert found.boxes_yxyx.min() >= 0
        assert found.boxes_yxyx.max() <= 1
        left_out += 6 - len(expected)
    assert left_out > 100


def test_crop_shows_some_object_by_the_drawn_iou(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (0.7,))
    whole = Sample(numbered(100, 100), objects([[0.1, 0.1, 0.9, 0.9]], [1]))
    for _ in range(20):
        rgb, _ = crop(whole, rng)
        top, left = rgb[0, 0, :2].astype(int)
        bottom, right = top + rgb.shape[0], left + rgb.shape[1]
        shared = (min(bottom, 90) - max(top, 10)) * (min(right, 90) - max(left, 10))
        union = 80 * 80 + (bottom - top) * (right - left) - shared
        assert shared / union >= 0.7


def test_crop_gives_up_on_an_iou_that_no_window_meets(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (0.9, None))
    sample = Sample(numbered(60, 60), objects([[0.5, 0.5, 0.52, 0.52]], [1]))
    for _ in range(5):
        assert crop(sample, rng) is sample


def test_crop_leaves_some_pictures_whole(rng):
    sample = Sample(numbered(60, 60), NOTHING)
    whole = sum(crop(sample, rng) is sample for _ in range(350))
    assert 30 <= whole <= 70  # one choice in seven: 50, give or take three deviations


def test_crop_of_a_picture_without_objects(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (0.9,))  # there is nothing to overlap
    rgb, found = crop(Sample(numbered(60, 80), NOTHING), rng)
    assert rgb.size < 60 * 80 * 3
    assert found.boxes_yxyx.shape == (0, 4)


def test_crop_of_a_picture_with_only_a_crowd(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (0.9,))  # crowds are no objects to be overlapped
    sample = Sample(numbered(60, 80), objects([[0, 0, 1, 0.3]], [4], [True]))
    counts = []
    for _ in range(40):
        rgb, found = crop(sample, rng)
        assert len(found.labels) == (rgb[0, 0, 1] < 24)
        assert found.crowd.all()
        counts.append(len(found.labels))
    assert set(counts) == {0, 1}


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (1, 250), (3, 2)])
def test_tiny_pictures(size, rng):
    for found in (objects([[0, 0, 1, 1]], [2]), NOTHING):
        sample = Sample(np.full((*size, 3), 9, np.uint8), found)
        for _ in range(20):
            rgb, after = augment(sample, ALL, rng)
            assert rgb.shape == (300, 300, 3)
            assert len(after.labels) == len(found.labels)
            assert np.isfinite(after.boxes_yxyx).all()


@pytest.mark.parametrize("change", COLOUR_CHANGES)
def test_colours_are_new_pictures_of_the_same_form(change, rng):
    rgb = rng.integers(0, 256, (20, 30, 3), np.uint8)
    before = rgb.copy()
    for amount in (-0.5, -0.2, 0.0, 0.3, 0.5):
        changed = change(rgb, amount)
        assert (changed.shape, changed.dtype) == (rgb.shape, np.uint8)
        assert not np.shares_memory(changed, rgb)
        np.testing.assert_array_equal(rgb, before)
        assert (amount == 0) or np.abs(changed.astype(int) - rgb).mean() > 5


@pytest.mark.parametrize("change", COLOUR_CHANGES[:3])
def test_no_amount_is_no_change(change, rng):
    rgb = rng.integers(0, 256, (50, 50, 3), np.uint8)
    np.testing.assert_array_equal(change(rgb, 0.0), rgb)


def test_no_turn_of_hue_costs_little(rng):
    rgb = rng.integers(0, 256, (50, 50, 3), np.uint8)
    difference = np.abs(hue(rgb, 0.0).astype(int) - rgb)
    assert difference.max() <= 9  # OpenCV's bytes of hue: 256 steps there, 255 back
    assert difference.mean() < 1


def test_brightness_by_hand():
    rgb = one_pixel(10, 100, 200)
    assert brightness(rgb, 0.5).ravel().tolist() == [15, 150, 255]
    assert brightness(rgb, -0.5).ravel().tolist() == [5, 50, 100]
    assert brightness(rgb, -1.0).ravel().tolist() == [0, 0, 0]


def test_contrast_by_hand():
    rgb = np.array([[[100, 100, 100], [200, 200, 200]]], np.uint8)  # mean 150
    assert contrast(rgb, 0.5)[0, :, 0].tolist() == [75, 225]
    assert contrast(rgb, 4.0)[0, :, 0].tolist() == [0, 255]
    assert contrast(rgb, -1.0)[0, :, 0].tolist() == [150, 150]


def test_saturation_by_hand():
    rgb = one_pixel(100, 150, 200)  # grey 0.299 · 100 + 0.587 · 150 + 0.114 · 200 = 141
    assert saturation(rgb, 1.0).ravel().tolist() == [59, 159, 255]
    assert saturation(rgb, -1.0).ravel().tolist() == [141, 141, 141]


@pytest.mark.parametrize(
    ("turn", "expected"), [(1 / 3, (0, 255, 0)), (0.5, (0, 255, 255)), (-1 / 3, (0, 0, 255))]
)
def test_hue_turns_red(turn, expected):
    np.testing.assert_allclose(hue(one_pixel(255, 0, 0), turn).ravel(), expected, atol=6)


def test_whole_turns_of_hue_are_none(rng):
    rgb = rng.integers(0, 256, (50, 50, 3), np.uint8)
    np.testing.assert_array_equal(hue(rgb, 1.0), hue(rgb, 0.0))
    np.testing.assert_array_equal(hue(rgb, -0.25), hue(rgb, 0.75))


def test_without_strengths_the_picture_is_only_resized(rng):
    sample = painted(rng)
    rgb, found = augment(sample, Strengths(), rng)
    np.testing.assert_array_equal(rgb, cv2.resize(sample.rgb, (300, 300)))
    for after, before in zip(found, sample.objects, strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", Strengths._fields)
def test_each_strength_does_its_part(name, rng):
    """Crop and hue may leave a picture as it is: one draw in seven, and turns near none."""
    sample = painted(rng)
    off = augment(sample, Strengths(), rng)
    on = Strengths(**{name: 0.5 if name == "hue" else 1.0})
    results = [augment(sample, on, np.random.default_rng(seed)) for seed in range(6)]
    assert any((after.rgb != off.rgb).any() for after in results)
    moved = any(
        not np.array_equal(after.objects.boxes_yxyx, off.objects.boxes_yxyx) for after in results
    )
    assert moved == (name in ("crop", "zoom_out", "flip"))


def test_probabilities_are_kept(rng):
    sample = Sample(numbered(4, 6), objects([[0, 0, 1, 0.5]], [1]))
    half = Strengths(flip=0.5)
    flipped = sum(augment(sample, half, rng).objects.boxes_yxyx[0, 1] > 0 for _ in range(100))
    assert 35 <= flipped <= 65


def test_boxes_stay_on_paint_through_it_all(rng):
    shapes_on_the_way = Strengths(crop=0.7, zoom_out=0.5, flip=0.5)
    checked = 0
    for _ in range(80):
        # Of an object that the crop leaves out, paint may remain: only boxes are looked up.
        sample = augment(painted(rng), shapes_on_the_way, rng)
        assert sample.rgb.shape == (300, 300, 3)
        assert sample.rgb.dtype == np.uint8
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


def test_colours_come_in_random_order(monkeypatch):
    order = []
    for change in COLOUR_CHANGES:
        name = change.__name__
        monkeypatch.setattr(module, name, lambda rgb, _, name=name: order.append(name) or rgb)
    sample = Sample(np.full((4, 4, 3), COLOURS[1], np.uint8), NOTHING)
    for seed in range(12):
        augment(sample, ALL, np.random.default_rng(seed))
    rounds = [tuple(order[start : start + 4]) for start in range(0, len(order), 4)]
    assert all(len(set(names)) == 4 for names in rounds)
    assert len(set(rounds)) > 4
