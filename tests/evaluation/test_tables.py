"""The tables against the analysis that they are made of."""

import csv
import json

import pytest

from ssdcore.coco.metrics import FIGURES, evaluate
from ssdcore.core import layout
from ssdcore.evaluation.analyse import analyse
from ssdcore.evaluation.analysis import Analysis
from ssdcore.evaluation.tables import unlike, write_evaluation
from tests.evaluation.scenes import NOTHING, write_scene


def write(truth, results):
    figures = evaluate(truth, results)
    analysis = analyse(truth, results, figures)
    return (
        write_evaluation(figures, analysis, results, 40, 12.345, {"nms": 0.12345}, "CPU"),
        figures,
        analysis,
    )


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(*write_scene(tmp_path, 2))


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_metrics(written):
    metrics, figures, analysis = written
    assert json.loads(layout.EVALUATE_METRICS.read_text()) == metrics
    assert metrics == {
        "bbox": {name: figures[name] for name in FIGURES},
        "images": 40,
        "images_per_second": 12.35,
        "milliseconds": {"nms": 0.123},
        "device": "CPU",
        "threshold": analysis.threshold,
    }


def test_the_analysis_can_be_read_back(written):
    assert Analysis.read_json(layout.ANALYSIS) == written[2]


def test_classes(written):
    table = rows(layout.PER_CLASS)
    assert next(iter(table[0])) == "name"
    for row, one in zip(table, written[2].classes, strict=True):
        assert (row["name"], float(row["AP50"]), int(row["objects"])) == (
            one.name, one.AP50, one.objects,
        )  # fmt: skip
    assert table[-1]["threshold"] == ""  # undefined


def test_curves(written):
    analysis = written[2]
    table = rows(layout.PR_CURVES)
    assert len(table) == 3 * 101  # the fourth class has no objects
    assert [float(row["precision"]) for row in table[:101]] == analysis.pr_curves[1].precision
    table = rows(layout.SCORE_CURVES)
    assert len(table) == 5 * 101
    assert [row["class"] for row in table[::101]] == ["all", "cat", "dog", "owl", "unseen"]
    assert [float(row["f1"]) for row in table[:101]] == analysis.score_curves[0].f1


def test_confusion_has_a_row_for_each_object_and_invented_detection(written):
    analysis = written[2]
    table = [(row["actual"], row["predicted"]) for row in rows(layout.CONFUSION)]
    names = [*analysis.confusion.names, "background"]
    counts = [[table.count((there, said)) for said in names] for there in names]
    assert counts == analysis.confusion.counts


def test_errors_and_calibration(written):
    analysis = written[2]
    assert [float(row["AP50_cost"]) for row in rows(layout.ERRORS)] == [
        error.AP50_cost for error in analysis.errors
    ]
    assert [int(row["detections"]) for row in rows(layout.CALIBRATION)] == [
        one.detections for one in analysis.calibration.bins
    ]


def test_names_of_any_kind_and_those_that_the_tables_use(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    truth, results = write_scene(tmp_path, 2)
    content = json.loads(truth.read_text())
    names = ["all", "background", '<b>"a",\n\u202eb;', "(background)"]
    for category, name in zip(content["categories"], names, strict=True):
        category["name"] = name
    truth.write_text(json.dumps(content))
    write(truth, results)
    assert [row["name"] for row in rows(layout.PER_CLASS)] == names
    assert {row["class"] for row in rows(layout.SCORE_CURVES)} == {"(all)", *names}
    assert {row["actual"] for row in rows(layout.CONFUSION)} >= {"((background))"}


def test_a_word_unlike_all_names():
    assert unlike("all", ["cat"]) == "all"
    assert unlike("all", ["all", "(all)"]) == "((all))"


def test_nothing_found_gives_tables_with_their_headers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    truth, _ = write_scene(tmp_path, 2)
    write(truth, NOTHING)
    assert {row["predicted"] for row in rows(layout.CONFUSION)} == {"background"}
    assert rows(layout.CALIBRATION)[0]["mean_score"] == ""
    assert layout.PR_CURVES.read_text().startswith("class,recall,precision\n")
