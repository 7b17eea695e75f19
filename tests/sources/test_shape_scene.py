from functools import cache

import numpy as np
import pytest

from ssdcore.sources.shape_outlines import CLASSES, Outline
from ssdcore.sources.shape_scene import (
    LARGEST_PX,
    LARGEST_SHARE,
    LEAST_INSIDE,
    LEAST_VISIBLE,
    MOST_OBJECTS,
    SMALLEST_PX,
    Placed,
    arrange,
    visible_shares,
)

HEIGHT, WIDTH = 240, 320


@cache
def _scenes() -> list[list[Placed]]:
    rng = np.random.default_rng(0)
    return [arrange(rng, HEIGHT, WIDTH) for _ in range(300)]


def _sizes(scenes: list[list[Placed]]) -> np.ndarray:
    return np.array([np.ptp(p.outline[0], axis=0).max() for scene in scenes for p in scene])


def test_every_number_of_objects_from_one_to_six_occurs() -> None:
    assert {len(scene) for scene in _scenes()} == set(range(1, MOST_OBJECTS + 1))


def test_sizes_span_the_range_and_crowd_in_its_middle() -> None:
    sizes = _sizes(_scenes())
    assert SMALLEST_PX <= sizes.min() < 1.2 * SMALLEST_PX
    assert 0.8 * LARGEST_PX < sizes.max() <= LARGEST_PX
    assert 0.08 < (sizes < 32).mean() < 0.25
    assert 0.1 < (sizes > 96).mean() < 0.3


def test_in_a_small_image_objects_are_smaller() -> None:
    rng = np.random.default_rng(0)
    sizes = _sizes([arrange(rng, 64, 80) for _ in range(100)])
    assert sizes.min() >= SMALLEST_PX
    assert sizes.max() <= LARGEST_SHARE * 64


def test_classes_appear_about_equally_often() -> None:
    counts = np.bincount([p.label for scene in _scenes() for p in scene], minlength=len(CLASSES))
    assert np.abs(counts / counts.mean() - 1).max() < 0.2


def _contains(outline: Outline, points_xy: np.ndarray) -> np.ndarray:
    """Tells for each point whether a ray from it crosses the contours an odd number of times."""
    inside = np.zeros(len(points_xy), bool)
    x, y = points_xy[:, :1], points_xy[:, 1:]
    for contour in outline:
        (x1, y1), (x2, y2) = contour.T, np.roll(contour, -1, axis=0).T
        rise = np.where(y1 == y2, 1.0, y2 - y1)
        crossed = ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / rise)
        inside ^= crossed.sum(axis=1) % 2 == 1
    return inside


def _shares_by_random_points(scene: list[Placed]) -> list[tuple[float, float]]:
    """Returns for each object the shares of its area in the image, and there in sight."""
    rng = np.random.default_rng(0)
    shares = []
    for position, placed in enumerate(scene):
        low, high = placed.outline[0].min(axis=0), placed.outline[0].max(axis=0)
        points = rng.uniform(low, high, (5000, 2))
        points = points[_contains(placed.outline, points)]
        seen = ((points >= 0) & (points < [WIDTH, HEIGHT])).all(axis=1)
        inside = seen.mean()
        for later in scene[position + 1 :]:
            seen &= ~_contains(later.outline, points)
        shares.append((inside, seen.mean()))
    return shares


def test_every_object_is_mostly_inside_and_enough_in_sight() -> None:
    shares = np.array([pair for s in _scenes()[:80] for pair in _shares_by_random_points(s)])
    inside, visible = shares.T
    assert inside.min() > LEAST_INSIDE - 0.03
    assert visible.min() > LEAST_VISIBLE - 0.03
    assert (inside < 0.97).mean() > 0.05, "the border should cut some"
    assert (visible < 0.8).mean() > 0.05, "objects should hide one another"


def test_visible_shares_agree_with_random_points() -> None:
    for scene in _scenes()[:20]:
        expected = [visible for _, visible in _shares_by_random_points(scene)]
        np.testing.assert_allclose(visible_shares(scene), expected, atol=0.06)


def _rectangle(left: int, top: int, right: int, bottom: int) -> Placed:
    covered = np.zeros((50, 60), np.float32)
    covered[max(top, 0) : bottom, max(left, 0) : right] = 1
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
    return Placed(0, (corners,), covered)


def test_visible_shares_by_hand() -> None:
    behind, before = _rectangle(0, 0, 40, 20), _rectangle(30, 10, 50, 30)
    assert visible_shares([behind, before]) == pytest.approx([700 / 800, 1.0])
    assert visible_shares([before, behind]) == pytest.approx([300 / 400, 1.0])
    assert visible_shares([_rectangle(-10, 0, 30, 20)]) == pytest.approx([0.75])
