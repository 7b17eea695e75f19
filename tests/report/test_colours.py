import numpy as np

from ssdcore.report.colours import DISTINCT, class_colours, ink_on, oklab


def nearest_pair(n: int) -> float:
    lab = oklab(np.array(class_colours(n)))
    distances = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return float(distances[np.triu_indices(n, 1)].min())


def test_oklab_of_white_black_red_and_nearly_black() -> None:
    lab = oklab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [5, 5, 5]]))
    red = [0.62796, 0.22486, 0.12585]  # as published with CSS Color 4
    dark = [(5 / 255 / 12.92) ** (1 / 3), 0, 0]
    expected = [[1, 0, 0], [0, 0, 0], red, dark]
    np.testing.assert_allclose(lab, expected, atol=2e-4)


def test_colours_differ_visibly() -> None:
    # A just noticeable difference is about 0.02.
    assert nearest_pair(6) > 0.2
    assert nearest_pair(20) > 0.1
    assert nearest_pair(80) > 0.05


def test_a_class_keeps_its_colour_whatever_their_number() -> None:
    assert class_colours(80)[:6] == class_colours(6)
    assert class_colours(0) == []
    assert class_colours(DISTINCT + 1)[-1] == class_colours(1)[0]


def test_ink_is_black_on_yellow_and_white_on_blue() -> None:
    assert ink_on((255, 220, 0)) == (0, 0, 0)
    assert ink_on((30, 40, 200)) == (255, 255, 255)
