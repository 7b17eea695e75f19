import numpy as np
import pytest

from ssdcore.geometry.default_boxes import corners, default_boxes
from ssdcore.geometry.feature_maps import LAYOUTS


def test_equals_the_reference(golden):
    boxes = default_boxes()
    assert boxes.shape == (8732, 4)
    assert boxes.dtype == np.float32
    np.testing.assert_array_equal(boxes[::97], golden["default_boxes_cyxhw_every_97th"])
    sums = boxes.sum(axis=0)  # in float32, as the reference's was taken
    np.testing.assert_allclose(sums, [4443.8696, 4443.8945, 1766.1766, 1766.1766], atol=5e-4)


def test_corners_equal_the_reference_to_the_last_bit(golden):
    expected = golden["default_boxes_y1x1y2x2_every_97th"]
    np.testing.assert_array_equal(corners(default_boxes())[::97], expected)


@pytest.mark.parametrize(
    ("size", "boxes", "per_cell"),
    [(300, 8732, [4, 6, 6, 6, 4, 4]), (512, 24_564, [4, 6, 6, 6, 6, 4, 4])],
)
def test_counts(size, boxes, per_cell):
    assert LAYOUTS[size].num_default_boxes == boxes
    assert [m.boxes_per_cell for m in LAYOUTS[size].maps] == per_cell


SCALES_512 = LAYOUTS[512].coco_scales


def naive_512():
    """The default boxes of SSD512, from the paper's formulas and Caffe's prototxt for COCO."""
    sides_px = [20.48, 51.2, 133.12, 215.04, 296.96, 378.88, 460.8, 542.72]
    ratios = [(2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,)]
    for k, step in enumerate((8, 16, 32, 64, 128, 256, 512)):
        side, after = sides_px[k] / 512, sides_px[k + 1] / 512
        shapes = [(side, side)]
        for ratio in ratios[k]:
            shapes.append((side / ratio**0.5, side * ratio**0.5))
            shapes.append((side * ratio**0.5, side / ratio**0.5))
        shapes.append(((side * after) ** 0.5, (side * after) ** 0.5))
        for y in range(step // 2, 512, step):
            for x in range(step // 2, 512, step):
                yield from ((y / 512, x / 512, h, w) for h, w in shapes)


def test_boxes_of_512_equal_a_loop():
    boxes = default_boxes(SCALES_512, 512)
    assert boxes.dtype == np.float32
    np.testing.assert_allclose(boxes, list(naive_512()), rtol=1e-6)
    y, x, h, w = boxes[0].tolist()  # by hand: 4 px from the corner, a square of 20.48 px
    assert [512 * value for value in (y, x, h, w)] == pytest.approx([4, 4, 20.48, 20.48])
    last = 512 * np.sqrt(0.9 * 1.06)  # of the one cell of the last map
    np.testing.assert_allclose(512 * boxes[-1], [256, 256, last, last], rtol=1e-6)
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    np.testing.assert_allclose(corners(boxes), np.hstack([low, high]), atol=1e-6)


def test_first_cell_by_hand():
    cell = default_boxes()[:4]
    np.testing.assert_allclose(cell[:, :2], 4 / 300, rtol=1e-6)
    root2 = 2**0.5
    sides = [[0.1, 0.1], [0.1 / root2, 0.1 * root2], [0.1 * root2, 0.1 / root2]]
    sides.append([0.027**0.5, 0.027**0.5])
    np.testing.assert_allclose(cell[:, 2:], sides, rtol=1e-6)


def test_other_aspect_ratios_by_hand():
    boxes = default_boxes(aspect_ratios=((4,), (), (2,), (2,), (2,), (2.25,)))
    assert len(boxes) == 38**2 * 4 + 19**2 * 2 + (10**2 + 5**2 + 3**2 + 1) * 4
    sides = [[0.1, 0.1], [0.05, 0.2], [0.2, 0.05], [0.027**0.5] * 2]
    np.testing.assert_allclose(boxes[:4, 2:], sides, rtol=1e-6)
    np.testing.assert_allclose(boxes[-3, 2:], [0.95 / 1.5, 0.95 * 1.5], rtol=1e-6)
    low = boxes[:, :2] - boxes[:, 2:] / 2
    np.testing.assert_allclose(corners(boxes)[:, :2], low, atol=1e-6)


@pytest.mark.parametrize(
    "scales",
    [(0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05), (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)],
)
def test_other_scales_reach_the_boxes_and_their_corners(scales):
    boxes = default_boxes(scales)
    first_of_map = np.cumsum([0] + [m.size**2 * m.boxes_per_cell for m in LAYOUTS[300].maps])[:-1]
    np.testing.assert_allclose(boxes[first_of_map, 2], scales[:6], rtol=1e-6)
    np.testing.assert_allclose(boxes[-1, 2], (scales[5] * scales[6]) ** 0.5, rtol=1e-6)
    low = boxes[:, :2].astype(float) - boxes[:, 2:].astype(float) / 2
    np.testing.assert_allclose(corners(boxes)[:, :2], low, atol=1e-7)


def test_wrong_number_of_scales_is_refused():
    with pytest.raises(ValueError, match="6 scales, expected 7"):
        default_boxes((0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    with pytest.raises(ValueError, match="7 scales, expected 8"):
        default_boxes(SCALES_512[:-1], 512)
