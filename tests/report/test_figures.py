from dataclasses import replace

import numpy as np
import pytest

from ssdcore.evaluation.analysis import Analysis, Confusion, PrCurve, ScoreCurve
from ssdcore.report.figures import draw_sheets

HOSTILE = ("$\\frac{$", "$x$", "\u202egnp", "x" * 200, "猫", "<b>", "\n", "")
RECALL = [step / 100 for step in range(101)]


def sheets(analysis: Analysis) -> dict[str, np.ndarray]:
    return dict(draw_sheets(analysis))


def test_each_sheet_is_an_image_of_something(analysis):
    drawn = sheets(analysis)
    assert list(drawn) == ["analysis/confusion", "analysis/precision_recall", "analysis/f1"]
    for rgb in drawn.values():
        assert (rgb.dtype, rgb.ndim, rgb.shape[2]) == (np.uint8, 3, 3)
        assert rgb.min() < 80
        assert (rgb == 255).mean() > 0.3


def test_the_same_analysis_gives_the_same_images(analysis):
    for one, again in zip(sheets(analysis).values(), sheets(analysis).values(), strict=True):
        np.testing.assert_array_equal(one, again)


def test_sheets_show_what_the_analysis_says(analysis):
    before = sheets(analysis)
    other = replace(
        analysis,
        confusion=Confusion(analysis.confusion.names, [[0, 9, 0, 1]] + [[0, 0, 0, 0]] * 3),
        pr_curves=[PrCurve(None, RECALL, [0.3] * 101)],
        threshold=0.8,
    )
    after = sheets(other)
    for name, rgb in before.items():
        assert rgb.shape == after[name].shape
        assert (rgb != after[name]).any(), name


@pytest.mark.parametrize("count", [13, 41])
def test_many_classes_are_drawn_without_numbers_or_names(analysis, count):
    counts = (7 * np.eye(count + 1, dtype=int)).tolist()
    names = [f"class {n}" for n in range(count)]
    drawn = sheets(replace(analysis, confusion=Confusion(names, counts)))["analysis/confusion"]
    assert max(drawn.shape) <= 1300


def test_hostile_names_are_text(analysis):
    counts = np.ones((len(HOSTILE) + 1,) * 2, int).tolist()
    assert sheets(replace(analysis, confusion=Confusion(list(HOSTILE), counts)))


def test_what_has_no_data_has_no_sheet(analysis):
    empty = replace(
        analysis,
        confusion=Confusion(["cat"], [[0, 0], [0, 0]]),
        pr_curves=[PrCurve("cat", [], [])],
        score_curves=[ScoreCurve(None, RECALL, [None] * 101, [None] * 101, [None] * 101)],
    )
    assert sheets(empty) == {}
