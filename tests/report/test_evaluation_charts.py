import json
from dataclasses import replace

import numpy as np
import pytest

from ssdcore.evaluation.analysis import Analysis, Confusion, PrCurve
from ssdcore.report import evaluation_charts as charts


def test_each_class_has_a_line_and_all_a_thick_one_on_top(analysis: Analysis) -> None:
    drawing = charts.precision_over_recall(analysis)
    assert [(line.meta, line.name) for line in drawing.data] == [
        (0, "circle"), (1, "star"), (2, "ghost"), (-1, "all classes")
    ]  # fmt: skip
    assert drawing.data[-1].line.width > drawing.data[0].line.width
    assert (drawing.data[0].x0, drawing.data[0].dx) == (0, 0.01)
    assert drawing.data[0].y[25] == 0.75
    assert len(drawing.data[2].y) == 0


def test_one_class_is_its_own_mean(analysis: Analysis) -> None:
    one = replace(analysis, pr_curves=[PrCurve(name, [0, 1], [1, 0]) for name in (None, "circle")])
    assert [line.name for line in charts.precision_over_recall(one).data] == ["all classes"]


def test_the_best_threshold_is_marked_and_undefined_figures_are_gaps(analysis: Analysis) -> None:
    drawing = charts.f1_over_score(analysis)
    assert drawing.layout.shapes[0].x0 == drawing.layout.shapes[0].x1 == 0.4
    curves = [replace(one, f1=[None, -1, 0.5, *one.f1[3:]]) for one in analysis.score_curves]
    drawing = charts.f1_over_score(replace(analysis, score_curves=curves))
    assert list(drawing.data[0].y[:3]) == [None, None, 0.5]


def test_only_bins_with_detections_have_a_bar(analysis: Analysis) -> None:
    bars, ideal = charts.calibration(analysis.calibration).data
    assert (list(bars.x), list(bars.y)) == ([pytest.approx(0.45)], [0.2])
    assert "10 detections" in bars.hovertext[0]
    assert list(ideal.x) == list(ideal.y) == [0, 1]


def test_the_dearest_error_is_on_top(analysis: Analysis) -> None:
    (bars,) = charts.error_costs(analysis).data
    assert bars.y[-1] == "loose box"
    assert list(bars.x) == sorted(bars.x)
    assert bars.text[-1] == "0.062"


def test_confusion_is_in_shares_of_rows_right_apart_from_wrong(analysis: Analysis) -> None:
    right, wrong = charts.confusion(analysis.confusion).data
    assert right.z[0][0] == 0.75  # 900 of 1200
    assert np.isnan(right.z[0][1])
    assert wrong.z[0][1] == 0.0025
    assert np.isnan(wrong.z[0][0])
    assert np.isnan(wrong.z[2]).all()  # ghosts were neither there nor seen
    assert list(right.text[0]) == ["900", "3", "", "297"]
    assert wrong.hovertext[0][1] == "circle: called star 3 (0.25\u00a0%)"
    assert wrong.hovertext[0][3] == "circle: missed 297 (24.8\u00a0%)"
    assert wrong.hovertext[3][0] == "nothing there, called circle: 199 (100\u00a0%)"


def test_many_classes_leave_no_room_for_numbers_and_then_names() -> None:
    def drawn(classes: int) -> tuple[bool, bool]:
        counts = np.eye(classes + 1, dtype=int).tolist()
        names = [f"class {n}" for n in range(classes)]
        figure = charts.confusion(Confusion(names, counts))
        return figure.data[0].text is not None, figure.layout.xaxis.showticklabels is not False

    assert [drawn(n) for n in (12, 13, 40, 41)] == [
        (True, True), (False, True), (False, True), (False, False)
    ]  # fmt: skip


def test_sizes_without_objects_have_no_bar(analysis: Analysis) -> None:
    pale, strong = charts.figures_by_size(analysis.sizes, ["small", "large"]).data
    assert (list(strong.x), list(strong.y), list(pale.y)) == (["small"], [0.1], [0.2])
    assert strong.hovertext[0].endswith("recall 0.300")


def test_names_are_text_to_plotly(analysis: Analysis) -> None:
    evil = "<b>x</b><a href='http://a.example'>"
    curves = [replace(one, name=one.name and evil) for one in analysis.pr_curves]
    hostile = replace(
        analysis, pr_curves=curves, confusion=replace(analysis.confusion, names=[evil] * 3)
    )
    for figure in (charts.precision_over_recall(hostile), charts.confusion(hostile.confusion)):
        text = json.dumps(json.loads(figure.to_json()))
        assert "<" not in text.replace("<br>", "").replace("<extra></extra>", "")
        assert "&lt;" in text
