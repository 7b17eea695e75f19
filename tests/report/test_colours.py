from itertools import combinations

import cv2
import numpy as np

from ssdcore.report.colours import DISTINCT, class_colour, text_colour


def smallest_difference(count: int) -> float:
    """The distance of the two most similar colours in CIELAB."""
    colours = [class_colour(label) for label in range(1, count + 1)]
    lab = cv2.cvtColor(np.array([colours], np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(lab, 2))


def test_colours_differ_visibly() -> None:
    # A just noticeable difference is about 2.3.
    assert smallest_difference(6) > 50
    assert smallest_difference(20) > 25
    assert smallest_difference(80) > 10


def test_colours_repeat_when_they_are_used_up() -> None:
    assert class_colour(DISTINCT + 1) == class_colour(1) != class_colour(2)


def test_text_is_black_on_yellow_and_white_on_blue() -> None:
    assert text_colour((255, 220, 0)) == (0, 0, 0)
    assert text_colour((30, 40, 200)) == (255, 255, 255)
