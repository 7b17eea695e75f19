import csv
import json

import numpy as np
import pytest

from ssdcore.coco.annotations import NO_ANNOTATIONS, read_coco
from ssdcore.coco.metrics import FIGURES, UNDEFINED, defined, evaluate
from ssdcore.coco.operating_point import UNMEASURED_SCORE
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.evaluation import tables as module
from ssdcore.evaluation.errors import errors
from ssdcore.evaluation.named_table import Column, Table
from ssdcore.evaluation.tables import (
    TRACKED,
    analyse,
    read_tables,
    results_of,
    scalars,
    write_evaluation,
    write_tables,
)
from tests.evaluation.scenes import NOTHING, write_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    truth, results = write_scene(tmp_path_factory.mktemp("scene"), 2)
    return read_coco(truth), results


@pytest.fixture(scope="module")
def figures(scene):
    return evaluate(*scene)


@pytest.fixture(scope="module")
def tables(scene, figures):
    return {table.name: table for table in analyse(*scene, figures)}


@pytest.fixture(scope="module")
def numbers(tables):
    return scalars(tables.values())


def of_scene(truth, results):
    found = analyse(truth, results, evaluate(truth, results))
    return {table.name: table for table in found}


def test_classes_add_up_to_the_operating_point(scene, tables, numbers):
    for name in ("found", "wrong", "not_found"):
        assert sum(tables["per_class"].values(name)) == numbers[name] > 0
    shown = (scene[1].scores >= numbers["threshold"]).sum()
    assert sum(tables["per_class"].values("detections")) == shown
    assert shown > numbers["found"] + numbers["wrong"]  # the rest is in crowds


def test_figures_are_cocos(figures, tables):
    for row, expected in zip(tables["per_class"].records(), figures["per_class"], strict=True):
        known = {name: value for name, value in expected.items() if value != UNDEFINED}
        assert {name: row[name] for name in expected if row[name] is not None} == known
    assert tables["coco_figures"].values("value") == [defined(figures[name]) for name in FIGURES]
    lines = tables["pr_curves"].records()
    mean = [row["precision"] for row in lines if row["class"] == "all"]
    assert np.mean(mean) == pytest.approx(figures["AP50"], abs=1e-12)
    cat = [row["precision"] for row in lines if row["class"] == "cat"]
    assert cat == figures["pr_curves"][0]["precision"]


def test_ap_has_an_interval(figures, tables, numbers):
    assert 0 < numbers["AP_low"] < figures["AP"] < numbers["AP_high"] < 1
    low, high = tables["coco_figures"].values("low"), tables["coco_figures"].values("high")
    assert (low[0], high[0]) == (numbers["AP_low"], numbers["AP_high"])
    assert all(a < figures[name] < b for a, name, b in zip(low, FIGURES, high, strict=True))
    for row in tables["per_class"].records()[:3]:
        assert row["AP_low"] < row["AP"] < row["AP_high"]


def test_what_is_not_found_is_missed_or_has_a_wrong_detection(tables, numbers):
    rows = {row["kind"]: row for row in tables["errors"].records()}
    kinds = ("localisation", "class")
    others = sum(rows[kind]["from_threshold"] for kind in kinds)
    missed = rows["missed"]["from_threshold"]
    assert rows["missed"]["count"] < missed < numbers["not_found"] <= missed + others
    wrong = sum(row["from_threshold"] for kind, row in rows.items() if kind != "missed")
    assert wrong == numbers["wrong"]


def test_thresholds_are_the_highest_points_of_the_curves(tables, numbers):
    highest = {}
    for row in tables["score_curves"].records():
        highest[row["class"]] = max(highest.get(row["class"], 0), row["f1"] or 0)
    assert list(highest) == ["all", "cat", "dog", "owl", "unseen"]
    assert numbers["f1"] == highest["all"]
    at_best = [
        row for row in tables["score_curves"].records() if row["score"] == numbers["threshold"]
    ]
    assert at_best[0]["recall"] == numbers["recall"]
    for row in tables["per_class"].records()[:3]:
        assert row["f1"] >= highest[row["name"]]
        assert row["f1"] == pytest.approx(
            2 * row["precision"] * row["recall"] / (row["precision"] + row["recall"])
        )


def test_counts_are_at_the_models_threshold_and_the_highest_f1_is_a_figure(scene, numbers):
    truth, results = scene
    found = analyse(truth, results, evaluate(truth, results), 0.8)
    given = scalars(found)
    assert given["threshold"] == 0.8
    assert (given["best_f1"], given["best_threshold"]) == (numbers["f1"], numbers["threshold"])
    assert given["f1"] < given["best_f1"] == numbers["best_f1"]
    (classes,) = (table for table in found if table.name == "per_class")
    assert sum(classes.values("detections")) == (results.scores >= 0.8).sum()
    (curves,) = (table for table in found if table.name == "score_curves")
    assert f"the model's threshold, 0.800. The highest F1 is at {numbers['threshold']:.3f}." in (
        curves.note
    )


def test_a_class_without_objects_has_undefined_figures_and_no_line(tables):
    unseen = tables["per_class"].records()[-1]
    assert unseen["objects"] == 0
    assert unseen["AP"] is unseen["AR100"] is None  # not COCO's -1
    assert {unseen[name] for name in ("threshold", "precision", "recall", "f1")} == {None}
    assert unseen["wrong"] > 0
    assert "unseen" not in tables["pr_curves"].values("class")


def test_parts_add_up_to_all_objects_and_detections(tables, numbers):
    objects = numbers["found"] + numbers["not_found"]
    for name in ("sizes", "shares"):  # no object is on a border here
        rows = [row for row in tables[name].records() if row["objects"]]
        assert sum(row["objects"] for row in rows) == objects
        found = sum(row["recall"] * row["objects"] for row in rows)
        assert found == pytest.approx(numbers["found"])
    actual = tables["confusion"].values("actual")
    assert len(actual) - actual.count("background") == objects
    wrong = sum(row["count"] for row in tables["errors"].records() if row["kind"] != "missed")
    assert sum(tables["calibration"].values("detections")) > wrong > 0


def test_what_is_tracked_is_a_figure(figures, numbers):
    assert set(TRACKED) <= figures.keys() | numbers.keys()


def test_a_new_figure_is_in_metrics_and_files(tmp_path, monkeypatch, scene, figures):
    def wide(judged):
        rows = [(name, 3) for name in judged.split.names]
        columns = (Column("name", "text"), Column("objects", "count"))
        return Table("wide", "Shapes", "Wide objects", columns, rows, scalars={"wide": 0.5})

    monkeypatch.setattr(module, "TABLES", (errors, wide))
    tables = analyse(*scene, figures)
    assert results_of("val", figures, tables, 40)["wide"] == 0.5
    write_tables(tmp_path, tables)
    assert (tmp_path / "wide.csv").read_text().startswith("name,objects\ncat,3\n")
    assert read_tables(tmp_path)["wide"] == tables[-1]


def test_the_evaluation_is_written_and_read_back(tmp_path, scene, figures, tables):
    folder = tmp_path / "of_a_run"
    folder.mkdir()
    (folder / "of_another_version.csv").touch()
    write_evaluation(folder, tables.values(), scene[1])
    assert read_tables(folder) == tables
    names = {layout.PREDICTIONS.name, layout.TABLES.name, *(f"{name}.csv" for name in tables)}
    assert {path.name for path in folder.iterdir()} == names
    with (folder / layout.PER_CLASS.name).open(newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["name"], float(row["AP50"])) == ("cat", figures["per_class"][0]["AP50"])


@pytest.mark.parametrize("change", [{"newer": 1}, {"columns": None}, {"chart": {"kind": "pie"}}])
def test_tables_of_another_version_are_refused(tmp_path, tables, change):
    write_tables(tmp_path, [tables["errors"]])
    path = tmp_path / layout.TABLES.name
    (described,) = json.loads(path.read_text())
    path.write_text(json.dumps([described | change]))
    with pytest.raises(InputError, match=r"tables\.json.*Run the evaluate stage"):
        read_tables(tmp_path)


@pytest.mark.parametrize("objects", [True, False])
def test_nothing_found_or_nothing_there(scene, objects):
    truth, results = scene
    if not objects:
        truth = truth._replace(annotations=NO_ANNOTATIONS)
    tables = of_scene(truth, NOTHING if objects else results)
    json.dumps([table.rows for table in tables.values()], allow_nan=False)
    assert -1 not in {cell for table in tables.values() for row in table.rows for cell in row}
    metrics = results_of("val", evaluate(truth, results), tables.values(), 40)
    assert objects or metrics["bbox"] == dict.fromkeys(FIGURES)  # not COCO's -1
    assert None not in scalars(tables.values()).values()
    assert metrics["threshold"] == UNMEASURED_SCORE  # not 0, from which on all detections show
    assert "best_threshold" not in metrics
    assert "is the threshold, 0.400. No detection is correct." in tables["score_curves"].note
    confusion = tables["confusion"]
    assert set(confusion.values("predicted" if objects else "actual")) == {"background"}
    assert set(tables["pr_curves"].values("precision")) == ({0.0} if objects else set())
