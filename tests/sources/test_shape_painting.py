"""Objects painted on a background: where, in which colours, with which shadow."""

import numpy as np
import pytest

from ssdcore.sources.shape_outlines import CLASSES, box_xyxy_px, coverage
from ssdcore.sources.shape_painting import (
    FILLS,
    MIN_CONTRAST,
    cast_shadow,
    contrasting_colour,
    paint,
)
from tests.sources.test_shape_outlines import HEIGHT, WIDTH, outline_of


def grey_canvas() -> np.ndarray:
    return np.full((3, HEIGHT, WIDTH), 0.5, np.float32)


@pytest.mark.parametrize("centre_xy", [(61.4, 40.8), (12.5, 80.1), (110.2, 9.9)])
@pytest.mark.parametrize("name", CLASSES)
def test_the_box_is_tight_around_the_painted_pixels(
    name: str, centre_xy: tuple[float, float]
) -> None:
    outline = outline_of(name, centre_xy=centre_xy)
    for seed in range(8):
        canvas = grey_canvas()
        paint(np.random.default_rng(seed), canvas, outline)
        rows, cols = np.nonzero((np.abs(canvas - 0.5) > 0.01).any(axis=0))
        extent = [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(extent, box_xyxy_px(outline, HEIGHT, WIDTH), atol=1.01)


def test_paint_changes_no_pixel_outside_the_outline() -> None:
    outline = outline_of("star")
    outside = coverage(outline, HEIGHT, WIDTH) == 0
    for seed in range(40):
        canvas = grey_canvas()
        paint(np.random.default_rng(seed), canvas, outline)
        assert (canvas[:, outside] == 0.5).all()


@pytest.mark.parametrize("background", [0.0, 0.5, 1.0])
def test_an_object_contrasts_with_its_background(background: float) -> None:
    rng = np.random.default_rng(0)
    canvas = np.full((3, 1, 1), background, np.float32)
    contrasts = [np.linalg.norm(contrasting_colour(rng, canvas) - canvas) for _ in range(100)]
    assert np.percentile(contrasts, 10) >= MIN_CONTRAST  # on grey, twelve tries may fall short


def test_of_colours_with_too_little_contrast_the_best_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    greys = iter(
        np.linspace(0.5, 0.6, 12, dtype=np.float32)[[3, 8, 11, 0, 1, 2, 4, 5, 6, 7, 9, 10]]
    )
    monkeypatch.setattr(
        "ssdcore.sources.shape_painting.random_colour", lambda *_: np.full((3, 1, 1), next(greys))
    )
    ground = np.full((3, 1, 1), 0.5, np.float32)
    chosen = contrasting_colour(np.random.default_rng(0), ground)
    np.testing.assert_allclose(chosen, 0.6, rtol=1e-6)


@pytest.mark.parametrize("fill", FILLS)
def test_a_fill_darkens_a_colour_only_a_little(fill) -> None:
    colour = np.array([0.9, 0.5, 0.1], np.float32).reshape(3, 1, 1)
    for seed in range(20):
        darkening = fill(np.random.default_rng(seed), 30, 40)
        planes = np.clip(colour * (1 - darkening), 0, 1)
        assert planes.shape == (3, 30, 40)
        assert np.abs(planes.mean(axis=(1, 2)) - colour.ravel()).max() < 0.15


def test_a_shadow_falls_in_its_direction() -> None:
    canvas = grey_canvas()
    cast_shadow(canvas, outline_of("circle"), direction=0.0, depth=0.4)
    assert canvas.max() == 0.5
    assert canvas.min() == pytest.approx(0.3, abs=1e-3)
    taken = 0.5 - canvas[0]
    centre_x = (taken.sum(axis=0) * (np.arange(WIDTH) + 0.5)).sum() / taken.sum()
    assert 62.4 < centre_x < 67.4


def test_colours_do_not_reveal_the_class() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(300) % len(CLASSES)
    colours = []
    for label in labels:
        outline, canvas = outline_of(CLASSES[label]), grey_canvas()
        covered = coverage(outline, HEIGHT, WIDTH)
        paint(rng, canvas, outline)
        colours.append((covered * canvas).sum(axis=(1, 2)) / covered.sum())
    assert _accuracy_of_nearest_mean(np.array(colours), labels) < 0.28  # by chance 1 in 6


def _accuracy_of_nearest_mean(features: np.ndarray, labels: np.ndarray) -> float:
    """Learns each class's mean on the first half; returns the accuracy on the second."""
    half = len(labels) // 2
    known, unknown = features[:half], features[half:]
    means = np.stack([known[labels[:half] == label].mean(axis=0) for label in range(len(CLASSES))])
    nearest = np.linalg.norm(unknown[:, None] - means, axis=2).argmin(axis=1)
    return float((nearest == labels[half:]).mean())
