import tracemalloc
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from ssdcore.data import augment as module
from ssdcore.data.augment import (
    CROP_TRIES,
    MIN_IOUS,
    Sample,
    augment,
    brightness,
    change_colours,
    contrast,
    crop,
    draw_windows,
    flip,
    flip_vertical,
    hue,
    max_canvas_px,
    saturation,
    zoom_out,
)
from ssdcore.data.preprocess import MEAN_RGB, PADDING_RGB, NetworkInput
from ssdcore.params.schema import AugmentParams
from tests.augment_params import augment_params
from tests.data.samples import (
    COLOURS,
    NOTHING,
    assert_boxes_on_paint,
    assert_each_box_on_its_paint,
    assert_equal,
    assert_sound,
    copied,
    numbered,
    objects,
    painted,
    samples,
    seeds,
)

GEOMETRIC = (flip, flip_vertical, zoom_out, crop)
ALWAYS_CUT = (0.0,)  # instead of the published minimum IoUs: any window is allowed
COLOUR_CHANGES = (brightness, contrast, saturation, hue)
MOVES = augment_params(crop=0.7, zoom_out=0.5, flip=0.5, flip_vertical=0.5)
COLOUR_NAMES = ("brightness", "contrast", "saturation", "hue")


def test_with_everything_off_the_image_is_only_resized(rng):
    sample = painted(rng)
    rgb, found = augment(sample, augment_params(), rng)
    np.testing.assert_array_equal(rgb, cv2.resize(sample.rgb, (300, 300)))
    for after, before in zip(found, sample.objects, strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", sorted(set(AugmentParams.model_fields) - {"colours"}))
def test_each_parameter_has_an_effect(name, rng):
    """Crop and hue can leave an image unchanged: one draw in seven, and turns near 0."""
    sample = painted(rng)
    off = augment(sample, augment_params(), rng)
    on = augment_params(**{name: 0.5 if name == "hue" else 1.0})
    results = [augment(sample, on, np.random.default_rng(seed)) for seed in range(6)]
    assert any((after.rgb != off.rgb).any() for after in results)
    moved = any(
        not np.array_equal(after.objects.boxes_yxyx, off.objects.boxes_yxyx) for after in results
    )
    assert moved == (name in ("crop", "zoom_out", "flip", "flip_vertical"))


@pytest.mark.parametrize("name", ["crop", "zoom_out", "flip", "flip_vertical", "colours"])
def test_probabilities_are_kept(name, rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", ALWAYS_CUT)
    sample = Sample(numbered(40, 60), objects([[0, 0, 1, 0.5]], [1]))
    colours = {"brightness": 0.2, "colours": 0.3} if name == "colours" else {name: 0.3}
    plain = augment(sample, augment_params(), rng).rgb
    changes = [
        (augment(sample, augment_params(**colours), rng).rgb != plain).any() for _ in range(200)
    ]
    assert 40 <= sum(changes) <= 80


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
def test_boxes_stay_on_paint_through_all_moves(rng, resize):
    """The paint of a dropped object can remain, so only boxes are checked."""
    checked = 0
    for _ in range(40):
        sample = augment(painted(rng), MOVES, rng, NetworkInput(300, resize))
        assert_boxes_on_paint(sample, atol_px=2.6)
        checked += len(sample.objects.labels)
    assert checked > 50


def test_a_letterbox_keeps_its_padding(rng):
    letterbox = NetworkInput(300, "letterbox")
    rgb = augment(painted(rng, 40, 120), augment_params(brightness=1), rng, letterbox).rgb
    assert (rgb[100:] == PADDING_RGB).all()


def test_colours_change_in_random_order_each_with_its_strength(monkeypatch):
    order = []

    def recorded(name):
        change = getattr(module, name)

        def noted(sample, rng, strength):
            order.append((name, strength))
            return change(sample, rng, strength)

        return noted

    for name in COLOUR_NAMES:
        monkeypatch.setattr(module, name, recorded(name))
    sample = Sample(np.full((4, 4, 3), COLOURS[1], np.uint8), NOTHING)
    params = augment_params(brightness=0.1, contrast=0.2, saturation=0.3, hue=0.4)
    for seed in range(12):
        augment(sample, params, np.random.default_rng(seed))
    rounds = [tuple(order[start : start + 4]) for start in range(0, len(order), 4)]
    expected = {(name, getattr(params, name)) for name in COLOUR_NAMES}
    assert all(set(names) == expected for names in rounds)
    assert len(set(rounds)) > 4


def test_channels_change_places_together(rng):
    params, sample = augment_params(channels=0.5), Sample(numbered(4, 6), NOTHING)
    orders = set()
    for _ in range(200):
        after = change_colours(sample, rng, params).rgb
        first = after[1, 2].tolist()
        order = tuple(sample.rgb[1, 2].tolist().index(value) for value in first)
        np.testing.assert_array_equal(after, sample.rgb[..., order])
        orders.add(order)
    assert len(orders) == 6


def test_the_canvas_of_a_zoom_out_keeps_its_colour(rng):
    white = Sample(np.full((40, 40, 3), 255, np.uint8), NOTHING)
    params = augment_params(zoom_out=1.0, brightness=0.5)
    darkest = []
    for _ in range(20):
        rgb = augment(white, params, rng).rgb
        inside = (rgb != MEAN_RGB.round()).any(axis=2)
        if not inside.all():
            np.testing.assert_array_equal(rgb[~inside][0], MEAN_RGB.round())
            darkest.append(rgb.max())
    assert min(darkest) < 200
    assert len(darkest) > 10


def window_of(rgb):
    """Position of a part of a `numbered` image: top, left, bottom, right in pixels."""
    top, left = rgb[0, 0, :2].astype(int)
    return top, left, top + rgb.shape[0], left + rgb.shape[1]


def overlap(box_px, window_px):
    (a, b, c, d), (top, left, bottom, right) = box_px, window_px
    shared = max(0, min(c, bottom) - max(a, top)) * max(0, min(d, right) - max(b, left))
    return shared / ((c - a) * (d - b) + (bottom - top) * (right - left) - shared)


@pytest.mark.parametrize("move", GEOMETRIC)
@settings(deadline=None, max_examples=60)
@given(sample=samples(), seed=seeds)
def test_after_a_move_boxes_are_inside_and_labels_follow_their_boxes(move, sample, seed):
    before = copied(sample)
    after = move(sample, np.random.default_rng(seed))
    assert_sound(after, before)
    assert_each_box_on_its_paint(after)
    assert_equal(sample, before)
    assert_equal(after, move(before, np.random.default_rng(seed)))
    if move is not crop:
        assert len(after.objects.labels) == len(before.objects.labels)


@pytest.mark.parametrize(("mirror", "axis"), [(flip, 1), (flip_vertical, 0)])
def test_a_flip_mirrors_its_axis(mirror, axis, rng):
    sample = painted(rng)
    np.testing.assert_array_equal(mirror(sample, rng).rgb, np.flip(sample.rgb, axis))


MAX_CANVAS_PX = max_canvas_px(300)


def test_zoom_out_keeps_boxes_on_paint_and_all_pixels(rng):
    zooms = []
    for _ in range(60):
        sample = painted(rng, 30, 54)
        zoomed = zoom_out(sample, rng)
        assert_boxes_on_paint(zoomed)
        height, width = zoomed.rgb.shape[:2]
        assert width / height == pytest.approx(54 / 30, rel=0.04)
        filled = (zoomed.rgb == MEAN_RGB.round()).all(axis=2)
        assert filled.sum() == height * width - 30 * 54
        np.testing.assert_array_equal(zoomed.rgb[~filled].reshape(30, 54, 3), sample.rgb)
        zooms.append(height / 30)
    assert 1 <= min(zooms) < 1.3
    assert 3.7 < max(zooms) <= 4


def test_a_canvas_is_bounded_however_large_the_image():
    height, width = 4000, 6000
    rgb = np.full((height, width, 3), 128, np.uint8)
    boxes, boxes_px = [], [(500, 300, 2500, 1500), (1000, 4000, 3900, 5700)]
    for label, (y1, x1, y2, x2) in enumerate(boxes_px, start=1):
        rgb[y1:y2, x1:x2] = COLOURS[label]
        boxes.append([y1 / height, x1 / width, y2 / height, x2 / width])
    sample = Sample(rgb, objects(boxes, [1, 2]))
    longest = []
    for seed in range(2):
        tracemalloc.start()
        zoomed = zoom_out(sample, np.random.default_rng(seed))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * MAX_CANVAS_PX**2 * 3  # bytes: the canvas, the image, little more
        assert_boxes_on_paint(zoomed, atol_px=1.01)
        assert zoomed.rgb.shape[1] / zoomed.rgb.shape[0] == pytest.approx(1.5, rel=0.01)
        longest.append(max(zoomed.rgb.shape))
    assert min(longest) > 0.99 * MAX_CANVAS_PX
    assert max(longest) <= MAX_CANVAS_PX


def test_a_larger_network_has_a_larger_canvas(rng):
    """The smallest crop, 0.3 of a side, of an image of 2:1 still has the network's pixels."""
    assert MAX_CANVAS_PX == 2000
    sample = painted(rng, 1000, 2000)
    longest = max(max(zoom_out(sample, rng, 512).rgb.shape) for _ in range(3))
    assert 2000 < longest <= max_canvas_px(512) == 3413


def test_an_image_is_scaled_down_by_averaging_pixels(rng):
    fine = np.indices((2600, 2600)).sum(axis=0, dtype=np.uint8) % 2 * 255  # a chessboard of pixels
    rgb, _ = zoom_out(Sample(np.repeat(fine[..., None], 3, axis=2), NOTHING), rng)
    shown = rgb[~(rgb == MEAN_RGB.round()).all(axis=2)]
    assert shown.mean() == pytest.approx(127.5, abs=2)
    assert shown.std() < 40  # of 127.5


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1)])
def test_a_line_of_pixels_zooms_out_to_a_bounded_canvas(size, rng):
    for _ in range(5):
        zoomed = zoom_out(Sample(np.zeros((*size, 3), np.uint8), objects([[0, 0, 1, 1]], [1])), rng)
        assert max(zoomed.rgb.shape) <= MAX_CANVAS_PX
        assert (zoomed.rgb == 0).all(axis=2).any()
        assert zoomed.objects.boxes_yxyx.max() <= 1


def seen_naively(sample, window_px):
    """The objects that stay in a window, one by one, as `crop` documents it."""
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
        top, left, bottom, right = window_of(rgb)
        np.testing.assert_array_equal(rgb, sample.rgb[top:bottom, left:right])
        height, width = rgb.shape[:2]
        assert 0.29 * 97 < height <= 97
        assert 0.29 * 131 < width <= 131
        assert 0.5 <= width / height <= 2

        expected = seen_naively(sample, (top, left, bottom, right))
        assert found.labels.tolist() == [label for _, label, _ in expected]
        assert found.crowd.tolist() == [crowd for _, _, crowd in expected]
        np.testing.assert_allclose(found.boxes_yxyx, [box for box, _, _ in expected], atol=1e-5)
        assert not found.crowd.all()
        assert found.boxes_yxyx.dtype == np.float32
        left_out += 6 - len(expected)
    assert left_out > 100


@pytest.mark.parametrize("min_iou", [value for value in MIN_IOUS if value])
def test_an_object_that_stays_is_shown_by_the_drawn_iou(min_iou, rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (min_iou,))
    boxes_px = {1: (10, 10, 90, 90), 2: (0, 0, 40, 60), 3: (50, 0, 100, 100)}
    sample = Sample(
        numbered(100, 100),
        objects((np.array(list(boxes_px.values())) / 100).tolist(), [1, 2, 3], [False] * 3),
    )
    best = []
    for _ in range(1000):
        cropped = crop(sample, rng)
        if cropped is sample:  # none of the 50 windows reached it
            continue
        window = window_of(cropped.rgb)
        best.append(max(overlap(boxes_px[label], window) for label in cropped.objects.labels))
    assert len(best) > 8
    assert min(best) >= min_iou
    assert min(best) < min_iou + 0.1  # but not more


def test_an_object_that_goes_does_not_count_towards_the_iou(rng, monkeypatch):
    """A window on the left third overlaps the large box by a third, but not its centre."""
    monkeypatch.setattr(module, "MIN_IOUS", (0.3,))
    monkeypatch.setattr(module, "draw_windows", lambda size, rng: np.array([[0, 0, 90, 31]]))
    speck = [0.1, 0.1, 0.12, 0.12]  # stays, but has almost no IoU with the window
    alone, both = objects([[0, 0, 0.9, 0.9]], [1]), objects([[0, 0, 0.9, 0.9], speck], [1, 2])
    assert overlap((0, 0, 90, 90), (0, 0, 90, 31)) > 0.3
    for found in (alone, both):
        sample = Sample(numbered(100, 100), found)
        assert crop(sample, rng) is sample


def test_if_no_window_reaches_the_iou_another_one_is_tried(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (0.9, None))
    sample = Sample(numbered(60, 60), objects([[0.5, 0.5, 0.52, 0.52]], [1]))
    assert all(crop(sample, rng) is sample for _ in range(5))
    monkeypatch.setattr(module, "MIN_IOUS", (0.9, 0.0))
    assert all(crop(sample, rng).rgb.size < sample.rgb.size for _ in range(5))


def test_windows_are_spread_evenly_over_sides_and_places(rng):
    windows = np.concatenate([draw_windows((400, 400), rng) for _ in range(400)])
    assert windows.min() == 0
    assert windows.max() == 400
    heights, widths = (windows[:, 2:] - windows[:, :2]).T
    assert heights.min() == 120
    assert 0.498 < (widths / heights).min() < 0.51
    assert 1.96 < (widths / heights).max() <= 2
    low, high = np.quantile(widths[(heights > 250) & (heights < 270)], [0.25, 0.75])
    assert 180 < low < 210  # of 130 to 400, even
    assert 315 < high < 345
    left = windows[:, 1] / np.maximum(400 - widths, 1)
    np.testing.assert_allclose(np.quantile(left, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.02)


def test_crop_leaves_some_images_whole(rng):
    sample = Sample(numbered(60, 60), NOTHING)
    whole = sum(crop(sample, rng) is sample for _ in range(350))
    assert 30 <= whole <= 70  # one choice in seven: 50, give or take three deviations


def test_crop_of_an_image_with_only_a_crowd(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (0.9,))  # crowd regions do not count as objects
    sample = Sample(numbered(60, 80), objects([[0, 0, 1, 0.3]], [4], [True]))
    counts = []
    for _ in range(40):
        rgb, found = crop(sample, rng)
        assert len(found.labels) == (rgb[0, 0, 1] < 24)
        assert found.crowd.all()
        counts.append(len(found.labels))
    assert set(counts) == {0, 1}


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (1, 500), (500, 1), (3, 2)])
@pytest.mark.parametrize("found", [NOTHING, objects([[0, 0, 1, 1]], [2])])
def test_crop_of_a_degenerate_image_ends(size, found, rng, monkeypatch):
    """Each minimum IoU is tried at most once; no window of a line of pixels has a valid aspect."""
    drawn = []
    monkeypatch.setattr(
        module, "draw_windows", lambda *a: drawn.append(draw_windows(*a)) or drawn[-1]
    )
    sample = Sample(np.full((*size, 3), 9, np.uint8), found)
    for _ in range(30):
        drawn.clear()
        cropped = crop(sample, rng)
        assert len(drawn) <= len(MIN_IOUS) - 1
        assert all(len(windows) <= CROP_TRIES for windows in drawn)
        assert len(cropped.objects.labels) == len(found.labels)
        assert cropped.rgb.size > 0
        assert max(size) < 500 or cropped is sample


def by(change, amount, *pixels):
    """Applies a change to a row of pixels (or an image) with exactly this amount."""
    rgb = pixels[0] if isinstance(pixels[0], np.ndarray) else np.array([pixels], np.uint8)
    drawn = SimpleNamespace(uniform=lambda low, high: amount)
    return change(Sample(rgb, NOTHING), drawn, abs(amount)).rgb


@pytest.fixture
def noise(rng):
    rgb = rng.integers(0, 256, (50, 40, 3), np.uint8)
    return Sample(rgb, objects([[0.1, 0.2, 0.5, 0.9], [0, 0, 1, 1]], [4, 2], [False, True]))


@pytest.mark.parametrize("change", COLOUR_CHANGES)
@settings(deadline=None, max_examples=40)
@given(sample=samples(), seed=seeds)
def test_colour_changes_keep_boxes_and_input(change, sample, seed):
    before = copied(sample)
    after = change(sample, np.random.default_rng(seed), 0.5)
    assert (after.rgb.shape, after.rgb.dtype) == (before.rgb.shape, np.uint8)
    for array, old in zip(after.objects, before.objects, strict=True):
        np.testing.assert_array_equal(array, old)
    assert_equal(sample, before)
    assert_equal(after, change(before, np.random.default_rng(seed), 0.5))


@pytest.mark.parametrize("change", COLOUR_CHANGES)
def test_strength_0_changes_nothing(change, noise, rng):
    assert_equal(change(noise, rng, 0.0), noise)
    assert not np.shares_memory(change(noise, rng, 0.5).rgb, noise.rgb)


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


def test_grey_has_no_hue(noise):
    grey = np.repeat(noise.rgb[..., :1], 3, axis=2)
    np.testing.assert_array_equal(by(hue, 0.3, grey), grey)
