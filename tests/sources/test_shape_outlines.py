"""Outlines: their area, box and pixel coverage, against school geometry and tested points."""

import itertools

import cv2
import numpy as np
import pytest

from ssdcore.sources.shape_outlines import (
    CLASSES,
    RING_HOLE,
    Outline,
    area_px,
    box_xyxy_px,
    coverage,
    moved,
    posed,
)

HEIGHT, WIDTH = 90, 120
AREAS_AT_100_PX = {
    "circle": np.pi * 50**2,
    "cross": 100**2 - 4 * 33**2,  # arms 34 px broad, so four corners of 33 × 33 are missing
    "ring": np.pi * 50**2 * (1 - RING_HOLE**2),
    "square": 100**2,
}


@pytest.mark.parametrize(("name", "area"), AREAS_AT_100_PX.items())
def test_areas_agree_with_school_geometry(name: str, area: float) -> None:
    outline = posed(name, size_px=100, angle=0, squash=1, squash_angle=0)
    assert area_px(outline) == pytest.approx(area, rel=2e-3)


@pytest.mark.parametrize("name", CLASSES)
def test_a_posed_outline_has_the_size_asked_for_and_is_centred(name: str) -> None:
    for angle in (0.0, 0.7, 2.5):
        outer = posed(name, size_px=40, angle=angle, squash=0.8, squash_angle=1.1)[0]
        assert np.ptp(outer, axis=0).max() == pytest.approx(40)
        np.testing.assert_allclose(outer.min(axis=0), -outer.max(axis=0), atol=1e-9)


def test_a_circle_squashed_to_half_is_half_as_broad_in_that_direction() -> None:
    outer = posed("circle", size_px=40, angle=0.3, squash=0.5, squash_angle=0)[0]
    np.testing.assert_allclose(np.ptp(outer, axis=0), [40, 20], rtol=2e-3)


def test_a_box_is_clipped_to_the_image() -> None:
    circle = moved(posed("circle", 40, 0, 1, 0), np.array([10.0, 95.0]))
    box = box_xyxy_px(circle, height=100, width=200)
    np.testing.assert_allclose(box, [0, 75, 30, 100], atol=0.1)


def test_a_tip_beyond_the_border_does_not_widen_the_box() -> None:
    tip_below_right = (np.array([[10.0, 60.0], [50.0, 60.0], [130.0, 180.0]]),)
    box = box_xyxy_px(tip_below_right, height=100, width=200)
    # The border y = 100 cuts the left edge at x = 50 and the right edge at x = 50 + 80 / 3.
    np.testing.assert_allclose(box, [10, 60, 50 + 80 / 3, 100])


def test_a_box_never_leaves_the_image_by_rounding() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        outline = posed("triangle", 50, rng.uniform(0, 6), 1, 0)
        left, top, right, bottom = box_xyxy_px(
            moved(outline, rng.choice([[0, 0], [97, 0], [0, 83], [97, 83]])), height=83, width=97
        )
        assert 0 <= left < right <= 97
        assert 0 <= top < bottom <= 83


@pytest.mark.parametrize("name", CLASSES)
def test_inside_the_image_the_box_is_the_outline_s_extent(name: str) -> None:
    outline = moved(posed(name, 40, 0.3, 0.8, 0), np.array([60.0, 50.0]))
    extent = [*outline[0].min(axis=0), *outline[0].max(axis=0)]
    np.testing.assert_allclose(box_xyxy_px(outline, 100, 120), extent)


def _mask_of_unit_area(outline: Outline) -> np.ndarray:
    contours = [contour * 40 / np.sqrt(area_px(outline)) + 64 for contour in outline]
    mask = np.zeros((128, 128), np.uint8)
    cv2.fillPoly(mask, [np.rint(contour).astype(np.int32) for contour in contours], 1)
    return mask


def test_no_two_classes_become_alike_when_turned() -> None:
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    masks = {
        name: [_mask_of_unit_area(posed(name, 50, turn, 1, 0)) for turn in turns]
        for name in CLASSES
    }
    for first, second in itertools.combinations(CLASSES, 2):
        still = masks[first][0]
        ious = [(still & turned).sum() / (still | turned).sum() for turned in masks[second]]
        assert max(ious) < 0.9, (first, second)


def outline_of(
    name: str, size_px: float = 47.3, centre_xy: tuple[float, float] = (61.4, 40.8)
) -> Outline:
    return moved(posed(name, size_px, 0.4, 0.85, 1.0), np.array(centre_xy))


@pytest.mark.parametrize("name", CLASSES)
def test_coverage_agrees_with_points_tested_one_by_one(name: str) -> None:
    outline = outline_of(name, size_px=20, centre_xy=(14.3, 10.9))
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
    outline = outline_of(name)
    assert coverage(outline, HEIGHT, WIDTH).sum() == pytest.approx(area_px(outline), rel=0.03)


def test_an_outline_outside_the_image_covers_nothing() -> None:
    for centre_xy in ((-50.0, 40.0), (61.0, -50.0), (200.0, 40.0), (61.0, 150.0)):
        assert not coverage(outline_of("star", centre_xy=centre_xy), HEIGHT, WIDTH).any()


def test_a_ring_leaves_its_hole_free() -> None:
    covered = coverage(outline_of("ring"), HEIGHT, WIDTH)
    assert covered[40, 61] == 0
    assert covered.max() == 1
