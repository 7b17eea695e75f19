import cv2
import numpy as np
import pytest

from ssdcore.sources.shape_drawing import (
    FILLS,
    LEAST_CONTRAST,
    cast_shadow,
    contrasting_colour,
    coverage,
    paint,
    window,
)
from ssdcore.sources.shape_outlines import CLASSES, Outline, area_px, box_xyxy_px, moved, posed

HEIGHT, WIDTH = 90, 120


def _outline(
    name: str, size_px: float = 47.3, centre_xy: tuple[float, float] = (61.4, 40.8)
) -> Outline:
    return moved(posed(name, size_px, 0.4, 0.85, 1.0), np.array(centre_xy))


def _grey() -> np.ndarray:
    return np.full((3, HEIGHT, WIDTH), 0.5, np.float32)


@pytest.mark.parametrize("name", CLASSES)
def test_coverage_agrees_with_points_tested_one_by_one(name: str) -> None:
    outline = _outline(name, size_px=20, centre_xy=(14.3, 10.9))
    contours = [contour.astype(np.float32) for contour in outline]
    expected = np.zeros((24, 30))
    for row, col, down, right in np.ndindex(24, 30, 4, 4):
        point = (col + (right + 0.5) / 4, row + (down + 0.5) / 4)
        crossings = sum(cv2.pointPolygonTest(contour, point, False) >= 0 for contour in contours)
        expected[row, col] += crossings % 2 / 16
    assert np.abs(coverage(outline, 24, 30) - expected).max() < 0.25
    assert coverage(outline, 24, 30).sum() == pytest.approx(expected.sum(), rel=0.05)


@pytest.mark.parametrize("name", CLASSES)
def test_coverage_sums_to_the_area(name: str) -> None:
    outline = _outline(name)
    assert coverage(outline, HEIGHT, WIDTH).sum() == pytest.approx(area_px(outline), rel=0.03)


def test_an_outline_outside_the_image_covers_nothing() -> None:
    for centre_xy in ((-50.0, 40.0), (61.0, -50.0), (200.0, 40.0), (61.0, 150.0)):
        assert not coverage(_outline("star", centre_xy=centre_xy), HEIGHT, WIDTH).any()


def test_a_ring_leaves_its_hole_free() -> None:
    covered = coverage(_outline("ring"), HEIGHT, WIDTH)
    assert covered[40, 61] == 0
    assert covered.max() == 1


@pytest.mark.parametrize("centre_xy", [(61.4, 40.8), (12.5, 80.1), (110.2, 9.9)])
@pytest.mark.parametrize("name", CLASSES)
def test_the_box_is_tight_around_what_is_painted(name: str, centre_xy: tuple[float, float]) -> None:
    outline = _outline(name, centre_xy=centre_xy)
    for seed in range(8):
        canvas = _grey()
        paint(np.random.default_rng(seed), canvas, outline)
        rows, cols = np.nonzero((np.abs(canvas - 0.5) > 0.01).any(axis=0))
        extent = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(extent, box_xyxy_px(outline, HEIGHT, WIDTH), atol=1.01)


def test_paint_changes_no_pixel_outside_the_outline() -> None:
    outline = _outline("star")
    outside = coverage(outline, HEIGHT, WIDTH) == 0
    for seed in range(40):
        canvas = _grey()
        paint(np.random.default_rng(seed), canvas, outline)
        assert (canvas[:, outside] == 0.5).all()


def test_the_window_holds_whole_pixels_around_the_box() -> None:
    circle = moved(posed("circle", 10, 0, 1, 0), np.array([20.5, 30.2]))
    assert window(circle, HEIGHT, WIDTH) == (slice(25, 36), slice(15, 26))


@pytest.mark.parametrize("ground", [0.0, 0.5, 1.0])
def test_an_object_stands_out_from_its_ground(ground: float) -> None:
    rng = np.random.default_rng(0)
    around = np.full((3, 1, 1), ground, np.float32)
    contrasts = [np.linalg.norm(contrasting_colour(rng, around) - around) for _ in range(100)]
    assert np.percentile(contrasts, 10) >= LEAST_CONTRAST  # on grey, twelve tries may fall short


def test_of_colours_that_all_fall_short_the_best_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    greys = iter(
        np.linspace(0.5, 0.6, 12, dtype=np.float32)[[3, 8, 11, 0, 1, 2, 4, 5, 6, 7, 9, 10]]
    )
    monkeypatch.setattr(
        "ssdcore.sources.shape_drawing.random_colour", lambda *_: np.full((3, 1, 1), next(greys))
    )
    ground = np.full((3, 1, 1), 0.5, np.float32)
    chosen = contrasting_colour(np.random.default_rng(0), ground)
    np.testing.assert_allclose(chosen, 0.6, rtol=1e-6)


@pytest.mark.parametrize("fill", FILLS)
def test_a_fill_has_an_image_s_range_and_shape(fill) -> None:
    colour = np.array([0.9, 0.5, 0.1], np.float32).reshape(3, 1, 1)
    for seed in range(20):
        planes = fill(np.random.default_rng(seed), colour, 30, 40)
        assert planes.shape == (3, 30, 40)
        assert 0 <= planes.min() <= planes.max() <= 1
        assert np.abs(planes.mean(axis=(1, 2)) - colour.ravel()).max() < 0.15


def test_a_shadow_darkens_the_side_away_from_the_light() -> None:
    canvas = _grey()
    cast_shadow(canvas, _outline("circle"), away_from_light=0.0, depth=0.4)
    assert canvas.max() == 0.5
    assert canvas.min() == pytest.approx(0.3, abs=1e-3)
    taken = 0.5 - canvas[0]
    centre_x = (taken.sum(axis=0) * (np.arange(WIDTH) + 0.5)).sum() / taken.sum()
    assert 62.4 < centre_x < 67.4


def test_colours_do_not_tell_the_class() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(300) % len(CLASSES)
    colours = []
    for label in labels:
        outline, canvas = _outline(CLASSES[label]), _grey()
        covered = coverage(outline, HEIGHT, WIDTH)
        paint(rng, canvas, outline)
        colours.append((covered * canvas).sum(axis=(1, 2)) / covered.sum())
    assert _accuracy_of_nearest_mean(np.array(colours), labels) < 0.28  # by chance 1 in 6


def test_colours_that_tell_the_class_would_be_found_out() -> None:
    labels = np.arange(300) % len(CLASSES)
    colours = np.random.default_rng(1).uniform(0, 1, (300, 3))
    colours[:, 0] += 0.3 * labels
    assert _accuracy_of_nearest_mean(colours, labels) > 0.28


def _accuracy_of_nearest_mean(features: np.ndarray, labels: np.ndarray) -> float:
    """Learns each class's mean on the first half and returns the share of the second it names."""
    half = len(labels) // 2
    known, asked = features[:half], features[half:]
    means = np.stack([known[labels[:half] == label].mean(axis=0) for label in range(len(CLASSES))])
    nearest = np.linalg.norm(asked[:, None] - means, axis=2).argmin(axis=1)
    return float((nearest == labels[half:]).mean())
