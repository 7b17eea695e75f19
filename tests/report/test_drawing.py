from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib import get_data_path
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.report import drawing
from ssdcore.report.drawing import (
    HALO,
    Annotations,
    Rgb,
    annotate_detections,
    annotate_objects,
    class_colour,
    draw_boxes,
    draw_side_by_side,
    font_for,
)
from tests.data.samples import detections, objects

RED, LIME = (250, 20, 30), (20, 250, 30)
GREY = (90, 90, 90)


def grey(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), GREY, np.uint8)


def annotated(image: Rgb, *boxes: tuple[list[float], str, tuple[int, int, int]]) -> Rgb:
    """Draws (left, top, right, bottom) in pixels, a caption and a colour for each box."""
    boxes_xyxy_px, captions, colours = zip(*boxes, strict=True)
    boxes_yxyx = np.array(boxes_xyxy_px)[:, [1, 0, 3, 2]] / np.tile(image.shape[:2], 2)
    return draw_boxes(image, Annotations(boxes_yxyx.astype(np.float32), captions, colours))


def where(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return (image == np.array(colour, np.uint8)).all(axis=-1)


def test_a_box_colours_its_own_edge_pixels_and_nothing_else():
    image = grey(40, 60)
    drawn = annotated(image, ([10, 5, 30, 25], "", RED))
    edge = np.zeros((40, 60), bool)
    edge[5:25, 10:30] = True  # x2 = 30 is the first column outside
    edge[6:24, 11:29] = False
    np.testing.assert_array_equal(where(drawn, RED), edge)
    halo = np.zeros((40, 60), bool)
    halo[4:26, 9:31] = True
    halo[7:23, 12:28] = False
    np.testing.assert_array_equal(where(drawn, HALO), halo & ~edge)
    np.testing.assert_array_equal(where(drawn, GREY), ~halo)
    assert where(image, GREY).all()  # the input is untouched


@pytest.mark.parametrize(
    "box", [[0, 0, 9, 9], [191, 0, 200, 9], [0, 91, 9, 100], [150, 80, 300, 300]]
)
def test_a_caption_stays_inside_with_its_margin(box):
    drawn = annotated(grey(100, 200), (box, "circle 0.97", RED))
    alone = annotated(grey(100, 200), (box, "", RED))
    label = (drawn != alone).any(axis=-1)
    rows, columns = np.nonzero(label)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    # The whole label is there: 11 letters of about half their height, on an unbroken ground.
    assert right - left > 50
    assert bottom - top >= 10
    ground = where(drawn, RED)
    assert ground[top : bottom + 1, [left, right]].all()
    assert ground[[top, bottom], left : right + 1].mean() > 0.9


def test_captions_do_not_cover_each_other():
    box = [80, 60, 140, 100]
    both = annotated(grey(200, 200), (box, "mm", RED), (box, "mm", LIME))
    labelled = annotated(grey(200, 200), (box, "mm", RED))
    bare = annotated(grey(200, 200), (box, "", RED))
    label = (labelled != bare).any(axis=-1)  # the first one stands as if it were alone
    np.testing.assert_array_equal(both[label], labelled[label])
    second = where(both, LIME)  # and the second is as large; its lines are under the first box
    assert second.sum() == pytest.approx(where(labelled, RED)[label].sum(), rel=0.2)


@pytest.mark.parametrize("side", [1, 8, 20])
def test_a_tiny_image_is_drawn_without_error(side):
    drawn = annotated(grey(side, side), ([0, 0, side, side], "a long caption", RED))
    assert drawn.shape == (side, side, 3)
    assert where(drawn, RED)[0, 0]


def test_truth_is_left_and_predictions_right_scaled_to_the_panels():
    # 50 by 25 into panels of (206 - 4) // 2 = 101: twice the size and a little.
    truth = objects([[0.2, 0.2, 0.6, 0.4]], [1])
    found = detections([[0.2, 0.6, 0.6, 0.8]], [2], [0.9])
    classes = (CocoClass(1, ""), CocoClass(2, ""))
    sheet = draw_side_by_side(grey(25, 50), truth, found, classes, width_px=206)
    strip = sheet.shape[0] - 50
    assert sheet.shape[1] == 206
    assert strip > 0

    rows, columns = np.nonzero(where(sheet, class_colour(1)))
    assert (columns.min(), columns.max()) == (20, 40)  # 20.2 … 40.4
    assert (rows.min() - strip, rows.max() - strip) == (10, 29)  # 10 … 30
    (columns,) = np.nonzero(where(sheet, class_colour(2))[strip + 29])  # below its caption
    assert (columns.min() - 105, columns.max() - 105) == (60, 80)  # 60.6 … 80.8


@pytest.mark.parametrize("text", ["circle 0.97", "Größe", "Кошка", "\u05e9\u05dc\u05d5\u05dd"])
def test_dejavu_is_used_for_the_scripts_it_covers(text):
    font = font_for(text, 17)
    assert Path(str(font.path)).name == "DejaVuSans.ttf"
    assert font.size == 17


def test_a_system_font_is_used_for_other_scripts(monkeypatch):
    last_resort = str(Path(get_data_path(), "fonts/ttf/LastResortHE-Regular.ttf"))
    monkeypatch.setattr(drawing, "SYSTEM_FONTS", ("no such font.ttf", last_resort))
    assert font_for("\u732b 0.9", 17).path == last_resort  # Chinese: cat


def test_dejavu_is_used_if_no_font_has_the_characters(monkeypatch):
    monkeypatch.setattr(drawing, "SYSTEM_FONTS", ())
    assert Path(str(font_for("\u732b", 17).path)).name == "DejaVuSans.ttf"


CLASSES = (CocoClass(3, "cat"), CocoClass(7, "dog"), CocoClass(9, "owl"))
BOXES, LABELS = [[0.1, 0.2, 0.5, 0.8], [0, 0, 1, 1]], [2, 1]  # y1 x1 y2 x2


def test_captions_mark_crowds_and_have_scores_in_the_colours_of_the_classes():
    truth, found = objects(BOXES, LABELS, [False, True]), detections(BOXES, LABELS, [0.987, 0.5])
    for (boxes, captions, colours), expected in (
        (annotate_objects(truth, CLASSES), ["dog", "cat (crowd)"]),
        (annotate_detections(found, CLASSES), ["dog 0.99", "cat 0.50"]),
    ):
        np.testing.assert_array_equal(boxes, np.float32(BOXES))
        assert (captions, colours) == (expected, [class_colour(2), class_colour(1)])


def smallest_difference(count: int) -> float:
    """The distance of the two most similar colours in CIELAB."""
    colours = [class_colour(label) for label in range(1, count + 1)]
    lab = cv2.cvtColor(np.array([colours], np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(lab, 2))


def test_colours_differ_visibly():
    # A just noticeable difference is about 2.3.
    assert smallest_difference(6) > 50
    assert smallest_difference(20) > 25
    assert smallest_difference(80) > 10
