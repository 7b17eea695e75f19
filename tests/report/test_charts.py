import json
from dataclasses import replace

import numpy as np
import pytest

from ssdcore.evaluation.analysis import Analysis
from ssdcore.report import charts
from ssdcore.report.content import ReportContent, SplitSummary


def split(name: str, objects: dict[str, int], sizes: list[float] | None = None) -> SplitSummary:
    return SplitSummary(name, 1, objects, sizes or [], {}, {}, 0, None)


def test_the_best_class_is_on_top_and_undefined_ones_have_no_bar(content: ReportContent) -> None:
    figure = charts.ap_by_class(content.analysis.classes)
    assert list(figure.layout.yaxis.ticktext) == ["circle", "star"]  # upwards
    bars = {bar.name: list(bar.x) for bar in figure.data}
    assert bars == {"AP50": [0.5, 0.9], "AP": [0.3, 0.7]}


def test_classes_of_one_name_stay_two_rows(analysis: Analysis) -> None:
    twins = [replace(analysis.classes[0], name="x" * 100 + end) for end in "ab"]
    figure = charts.ap_by_class(twins)
    assert list(figure.data[0].y) == list(figure.layout.yaxis.tickvals) == [0, 1]


def test_names_are_text_to_plotly(analysis: Analysis) -> None:
    name = "<b>x</b><a href='http://a.example'>"
    for figure in (
        charts.ap_by_class([replace(analysis.classes[0], name=name)]),
        charts.objects_by_class([split("<i>train", {name: 3})]),
        charts.box_sizes([split("<i>train", {}, [0.5])], []),
    ):
        text = json.dumps(json.loads(figure.to_json()))
        without_own = text.replace("<br>", "").replace("<extra></extra>", "")
        assert "<" not in without_own
        assert "&lt;" in text


def test_counts_of_each_split_the_most_frequent_on_top() -> None:
    figure = charts.objects_by_class(
        [split("train", {"a": 3, "b": 50, "c": 0}), split("val", {"a": 5})]
    )
    assert list(figure.layout.yaxis.ticktext) == ["c", "a", "b"]
    assert [list(trace.x) for trace in figure.data] == [[0, 3, 50], [0, 5, 0]]
    assert figure.layout.xaxis.type is None


def test_a_wide_range_of_counts_is_logarithmic_without_zeros() -> None:
    figure = charts.objects_by_class([split("train", {"a": 1, "b": 101, "c": 0})])
    assert figure.layout.xaxis.type == "log"
    assert list(figure.data[0].x) == [None, 1, 101]


def test_every_box_is_counted_in_its_bin() -> None:
    sizes = [0.001, 0.0101, 0.5, 0.5, 1.0]
    figure = charts.box_sizes([split("train", {}, sizes), split("val", {}, [0.5])], [0.1, 0.2])
    train, val, marks = figure.data
    edges, shares = np.array(train.x), np.array(train.y[:-1])
    assert shares.sum() == pytest.approx(1)
    assert shares[0] == pytest.approx(2 / 5)  # the one below the first bin too
    assert shares[-1] == pytest.approx(1 / 5)
    middle = np.searchsorted(edges, 0.5) - 1
    assert shares[middle] == pytest.approx(2 / 5)
    assert val.y[middle] == pytest.approx(1)
    assert list(marks.x) == [0.1, 0.1, None, 0.2, 0.2, None]


def test_splits_without_boxes_are_flat() -> None:
    figure = charts.box_sizes([split("train", {})], [0.1])
    assert max(figure.data[0].y) == 0
    assert figure.layout.yaxis.range[1] > 0
