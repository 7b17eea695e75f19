import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings

from ssdcore.data import augment_geometry as module
from ssdcore.data.augment_geometry import CROP_TRIES, LARGEST_CANVAS, MIN_IOUS, crop, flip, zoom_out
from ssdcore.data.preprocess import MEAN_RGB
from ssdcore.data.sample import Sample
from tests.data.painted import COLOURS, NOTHING, numbered, objects, painted
from tests.data.samples import (
    assert_boxes_on_paint,
    assert_each_box_on_its_paint,
    assert_equal,
    assert_sound,
    copied,
    samples,
    seeds,
)

MOVES = (flip, zoom_out, crop)
ALWAYS_CUT = (0.0,)  # in place of the published choices of a least IoU: any window will do
unhurried = settings(deadline=None, max_examples=150)


def window_of(rgb):
    """Where a piece of a `numbered` image was: top, left, bottom, right in pixels."""
    top, left = rgb[0, 0, :2].astype(int)
    return top, left, top + rgb.shape[0], left + rgb.shape[1]


def overlap(box_px, window_px):
    """IoU by hand."""
    (a, b, c, d), (top, left, bottom, right) = box_px, window_px
    shared = max(0, min(c, bottom) - max(a, top)) * max(0, min(d, right) - max(b, left))
    return shared / ((c - a) * (d - b) + (bottom - top) * (right - left) - shared)


@pytest.mark.parametrize("move", MOVES)
@unhurried
@given(sample=samples(), seed=seeds)
def test_boxes_stay_inside_and_labels_follow_their_boxes(move, sample, seed):
    before = copied(sample)
    after = move(sample, np.random.default_rng(seed))
    assert_sound(after, before)
    assert_each_box_on_its_paint(after)
    assert_equal(sample, before)
    assert_equal(after, move(before, np.random.default_rng(seed)))
    if move is not crop:
        assert len(after.objects.labels) == len(before.objects.labels)


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
        height, width = zoomed.rgb.shape[:2]
        assert width / height == pytest.approx(54 / 30, rel=0.04)
        filled = (zoomed.rgb == MEAN_RGB.round()).all(axis=2)
        assert filled.sum() == height * width - 30 * 54
        np.testing.assert_array_equal(zoomed.rgb[~filled].reshape(30, 54, 3), sample.rgb)
        zooms.append(height / 30)
    assert 1 <= min(zooms) < 1.3
    assert 3.7 < max(zooms) <= 4


def test_an_image_that_fits_at_every_zoom_is_not_shrunk(rng):
    sample = painted(rng, 400, LARGEST_CANVAS // 4)
    for _ in range(8):
        rgb, _ = zoom_out(sample, rng)
        filled = (rgb == MEAN_RGB.round()).all(axis=2)
        np.testing.assert_array_equal(rgb[~filled].reshape(sample.rgb.shape), sample.rgb)


def test_a_canvas_is_bounded_however_large_the_image():
    height, width = 4000, 6000
    rgb = np.full((height, width, 3), 128, np.uint8)
    boxes, boxes_px = [], [(500, 300, 2500, 1500), (1000, 4000, 3900, 5700)]
    for label, (y1, x1, y2, x2) in enumerate(boxes_px, start=1):
        rgb[y1:y2, x1:x2] = COLOURS[label]
        boxes.append([y1 / height, x1 / width, y2 / height, x2 / width])
    sample = Sample(rgb, objects(boxes, [1, 2]))
    longest = []
    for seed in range(3):
        tracemalloc.start()
        zoomed = zoom_out(sample, np.random.default_rng(seed))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 * LARGEST_CANVAS**2 * 3  # bytes: the canvas, the image, little more
        assert_boxes_on_paint(zoomed, atol_px=1.01)
        assert zoomed.rgb.shape[1] / zoomed.rgb.shape[0] == pytest.approx(1.5, rel=0.01)
        longest.append(max(zoomed.rgb.shape))
    assert min(longest) > 0.99 * LARGEST_CANVAS
    assert max(longest) <= LARGEST_CANVAS


def test_an_image_is_shrunk_by_means_and_not_by_leaving_pixels_out(rng):
    fine = np.indices((2600, 2600)).sum(axis=0, dtype=np.uint8) % 2 * 255  # a chessboard of pixels
    rgb, _ = zoom_out(Sample(np.repeat(fine[..., None], 3, axis=2), NOTHING), rng)
    shown = rgb[~(rgb == MEAN_RGB.round()).all(axis=2)]
    assert shown.mean() == pytest.approx(127.5, abs=2)
    assert shown.std() < 40  # of 127.5


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1)])
def test_a_line_of_pixels_zooms_out_to_a_bounded_canvas(size, rng):
    for _ in range(5):
        zoomed = zoom_out(Sample(np.zeros((*size, 3), np.uint8), objects([[0, 0, 1, 1]], [1])), rng)
        assert max(zoomed.rgb.shape) <= LARGEST_CANVAS
        assert (zoomed.rgb == 0).all(axis=2).any()
        assert zoomed.objects.boxes_yxyx.max() <= 1


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


@pytest.mark.parametrize("min_iou", [least for least in MIN_IOUS if least])
def test_an_object_that_stays_is_shown_by_the_drawn_iou(min_iou, rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (min_iou,))
    boxes_px = {1: (10, 10, 90, 90), 2: (0, 0, 40, 60), 3: (50, 0, 100, 100)}
    sample = Sample(
        numbered(100, 100),
        objects((np.array(list(boxes_px.values())) / 100).tolist(), [1, 2, 3], [False] * 3),
    )
    least = []
    for _ in range(1000):
        cropped = crop(sample, rng)
        if cropped is sample:  # 50 windows, and none would do
            continue
        window = window_of(cropped.rgb)
        least.append(max(overlap(boxes_px[label], window) for label in cropped.objects.labels))
    assert len(least) > 8
    assert min(least) >= min_iou
    assert min(least) < min_iou + 0.1  # and no more is asked


def test_an_object_that_goes_does_not_count_towards_the_iou(rng, monkeypatch):
    """A window on the left third overlaps the large box by a third, but its centre is outside."""
    monkeypatch.setattr(module, "MIN_IOUS", (0.3,))
    monkeypatch.setattr(module, "_draw_windows", lambda size, rng: np.array([[0, 0, 90, 31]]))
    speck = [0.1, 0.1, 0.12, 0.12]  # and the speck, which stays, it overlaps by nothing
    alone, both = objects([[0, 0, 0.9, 0.9]], [1]), objects([[0, 0, 0.9, 0.9], speck], [1, 2])
    assert overlap((0, 0, 90, 90), (0, 0, 90, 31)) > 0.3
    for found in (alone, both):
        sample = Sample(numbered(100, 100), found)
        assert crop(sample, rng) is sample


def test_an_iou_that_no_window_meets_gives_way_to_others(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (0.9, None))
    sample = Sample(numbered(60, 60), objects([[0.5, 0.5, 0.52, 0.52]], [1]))
    assert all(crop(sample, rng) is sample for _ in range(5))
    monkeypatch.setattr(module, "MIN_IOUS", (0.9, 0.0))
    assert all(crop(sample, rng).rgb.size < sample.rgb.size for _ in range(5))


def test_windows_are_spread_evenly_over_sides_and_places(rng):
    windows = np.concatenate([module._draw_windows((400, 400), rng) for _ in range(400)])
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


def test_of_windows_that_fit_the_first_is_taken(rng, monkeypatch):
    """The first overlaps the box too little, the second and the third enough."""
    windows = np.array([[0, 0, 50, 50], [0, 0, 60, 90], [0, 0, 90, 90]])
    monkeypatch.setattr(module, "MIN_IOUS", (0.5,))
    monkeypatch.setattr(module, "_draw_windows", lambda size, rng: windows)
    rgb, found = crop(Sample(numbered(100, 100), objects([[0, 0, 0.8, 0.8]], [1])), rng)
    assert window_of(rgb) == (0, 0, 60, 90)
    np.testing.assert_allclose(found.boxes_yxyx, [[0, 0, 1, 80 / 90]], rtol=1e-6)


def test_crop_leaves_some_images_whole(rng):
    sample = Sample(numbered(60, 60), NOTHING)
    whole = sum(crop(sample, rng) is sample for _ in range(350))
    assert 30 <= whole <= 70  # one choice in seven: 50, give or take three deviations


def test_crop_of_an_image_without_objects(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (0.9,))  # there is nothing to overlap
    rgb, found = crop(Sample(numbered(60, 80), NOTHING), rng)
    assert rgb.size < 60 * 80 * 3
    assert found.boxes_yxyx.shape == (0, 4)


def test_crop_of_an_image_with_only_a_crowd(rng, monkeypatch):
    monkeypatch.setattr(module, "MIN_IOUS", (0.9,))  # crowds are no objects to be overlapped
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
    """Each least IoU has its turn once at most; no window of a line of pixels has the aspect."""
    drawn = []
    draw = module._draw_windows
    monkeypatch.setattr(module, "_draw_windows", lambda *a: drawn.append(draw(*a)) or drawn[-1])
    sample = Sample(np.full((*size, 3), 9, np.uint8), found)
    for _ in range(30):
        drawn.clear()
        cropped = crop(sample, rng)
        assert len(drawn) <= len(MIN_IOUS) - 1
        assert all(len(windows) <= CROP_TRIES for windows in drawn)
        assert len(cropped.objects.labels) == len(found.labels)
        assert cropped.rgb.size > 0
        assert max(size) < 500 or cropped is sample
