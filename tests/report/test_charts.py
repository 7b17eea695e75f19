import numpy as np
import pytest

from ssdcore.evaluation.named_table import Chart, Column, Table
from ssdcore.report.charts import draw

FIGURES = (Column("name", "text"), Column("AP50"), Column("AP"))


def table(*rows, chart, columns=FIGURES) -> Table:
    return Table("x", "X", "", columns, rows, chart=chart)


def ranking(*rows, **columns) -> Table:
    return table(*rows, chart=Chart("ranking", "name", ("AP50", "AP")), **columns)


def test_the_highest_is_on_top_and_undefined_ones_have_no_bar():
    drawing = draw(ranking(("star", 0.9, 0.7), ("ghost", -1, -1), ("circle", 0.5, 0.3)))
    assert list(drawing.layout.yaxis.ticktext) == ["circle", "star"]  # upwards
    assert {bar.name: list(bar.x) for bar in drawing.data} == {"AP50": [0.5, 0.9], "AP": [0.3, 0.7]}
    assert drawing.data[0].hovertext[1] == "star<br>AP50 0.900 · AP 0.700"


def test_rows_of_names_that_look_the_same_stay_apart():
    drawing = draw(ranking(*(("x" * 100 + end, 0.5, 0.5) for end in "ab")))
    assert list(drawing.data[0].y) == list(drawing.layout.yaxis.tickvals) == [0, 1]


def test_a_wide_range_of_counts_is_logarithmic_without_zeros():
    columns = (Column("name", "text"), Column("AP50", "count"), Column("AP", "count"))
    wide = draw(ranking(("a", 200, 101), ("b", 5, 1), ("c", 0, 0), columns=columns))
    assert wide.layout.xaxis.type == "log"
    assert list(wide.data[1].x) == [None, 1, 101]
    assert draw(ranking(("a", 9, 9), columns=columns)).layout.xaxis.type is None


def test_bars_stand_in_the_order_of_the_rows():
    chart = Chart("bars", "name", ("AP50", "AP"))
    pale, strong = draw(table(("b", 0.2, 0.1), ("a", -1, -1), ("c", 0.4, 0.3), chart=chart)).data
    assert (list(strong.x), list(strong.y), list(pale.y)) == (["b", "c"], [0.1, 0.3], [0.2, 0.4])


LINES = (Column("class", "text"), Column("recall"), Column("precision"))
BY_CLASS = Chart("lines", "recall", ("precision",), by="class", main="all", marks=(0.4,))


def test_each_group_has_a_thin_line_and_the_main_one_a_thick_one_on_top():
    rows = [(name, x, 1 - x) for name in ("all", "cat", "dog") for x in (0.0, 0.25, 1.0)]
    drawing = draw(table(*rows, chart=BY_CLASS, columns=LINES))
    assert [(line.meta, line.name) for line in drawing.data] == [
        (0, "cat"), (1, "dog"), (-1, "all classes")
    ]  # fmt: skip
    assert drawing.data[-1].line.width > drawing.data[0].line.width
    assert (list(drawing.data[0].x), list(drawing.data[0].y)) == ([0, 0.25, 1], [1, 0.75, 0])
    assert drawing.layout.shapes[0].x0 == drawing.layout.shapes[0].x1 == 0.4


STEPS = (Column("step", "count"), Column("loss", "number"), Column("part", "number"))


def test_noisy_columns_are_drawn_raw_and_smoothed():
    chart = Chart("lines", "step", ("loss", "part"), smooth=True)
    rows = [(10, 8.0, 5.0), (20, 6.0, 4.0)]
    traces = draw(table(*rows, chart=chart, columns=STEPS)).data
    assert [(trace.name, trace.showlegend) for trace in traces] == [
        ("loss", False), ("part", False), ("loss", True), ("part", True)
    ]  # fmt: skip
    assert (list(traces[0].x), list(traces[0].y)) == ([10, 20], [8, 6])
    assert traces[0].line.width < traces[2].line.width


def test_a_loss_that_is_not_finite_is_a_gap():
    """As of a step that training skipped."""
    chart = Chart("lines", "step", ("loss", "part"), smooth=True)
    rows = [(step, np.inf if step == 10 else 2.0, 1.0) for step in range(1, 40)]
    drawing = draw(table(*rows, chart=chart, columns=STEPS))
    for trace in (drawing.data[0], drawing.data[2]):
        assert list(trace.y) == [2.0] * 9 + [None] + [2.0] * 29
    assert drawing.layout.yaxis.range == pytest.approx((0, 2.3))


def matrix(counts, names) -> Table:
    rows = [
        (names[i], names[j])
        for (i, j), count in np.ndenumerate(np.array(counts))
        for _ in range(count)
    ]
    columns = (Column("actual", "text"), Column("predicted", "text"))
    chart = Chart("heatmap", "predicted", ("actual",), order=tuple(names))
    return table(*rows, chart=chart, columns=columns)


def test_a_heatmap_shows_shares_of_rows_with_the_diagonal_apart():
    names = ["circle", "star", "background"]
    right, wrong = draw(matrix([[75, 5, 20], [0, 0, 0], [9, 0, 0]], names)).data
    assert right.z[0][0] == 0.75
    assert np.isnan(right.z[0][1])
    assert wrong.z[0][1] == 0.05
    assert np.isnan(wrong.z[0][0])
    assert np.isnan(wrong.z[1]).all()
    assert list(right.text[0]) == ["75", "5", "20"]
    assert wrong.hovertext[0][1] == "circle as star: 5 (5\u00a0%)"
