"""The whole analysis of made-up scenes and outside cases: its parts agree, and with COCO's."""

import json
from pathlib import Path

import numpy as np
import pytest

from ssdcore.coco.metrics import evaluate
from ssdcore.coco.results import read_results
from ssdcore.core.errors import InputError
from ssdcore.core.files import write_json
from ssdcore.evaluation.analyse import analyse
from ssdcore.evaluation.analysis import Analysis
from ssdcore.evaluation.average_precision import average_precisions
from ssdcore.evaluation.outcomes import CORRECT, IGNORED, judge_all
from ssdcore.evaluation.split import read_split
from tests.evaluation.scenes import write_scene

CASES = Path(__file__).parents[3] / "shared/data/eval_parity"


def analysis_of(truth, results) -> Analysis:
    return analyse(truth, results, evaluate(truth, results))


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return write_scene(tmp_path_factory.mktemp("scene"), 2)


@pytest.fixture(scope="module")
def whole(scene) -> Analysis:
    return analysis_of(*scene)


def own_ap50(truth, results):
    """AP50 of each class from this package's own judgement."""
    split = read_split(truth, results)
    kinds = judge_all(split.truth, split.found).kinds
    wrong = (kinds != CORRECT) & (kinds != IGNORED)
    return average_precisions(
        split.found, (kinds == CORRECT)[:, None], wrong[:, None], split.objects()
    )[:, 0]


def test_the_judgement_is_pycocotools(scene):
    expected = [row["AP50"] for row in evaluate(*scene)["per_class"]]
    np.testing.assert_allclose(own_ap50(*scene), expected, atol=1e-12)


@pytest.mark.skipif(not CASES.is_dir(), reason="outside evaluator cases are not here")
@pytest.mark.parametrize("case", [p.name for p in sorted(CASES.glob("*/"))])
def test_the_judgement_is_pycocotools_on_outside_cases(case):
    truth, results = CASES / case / "gt.json", read_results(CASES / case / "dt.json")
    figures = evaluate(truth, results)
    expected = [row["AP50"] for row in figures["per_class"]]
    np.testing.assert_allclose(own_ap50(truth, results), expected, atol=1e-12)
    whole = analyse(truth, results, figures)
    assert sum(one.objects for one in whole.classes) == sum(map(sum, whole.confusion.counts[:-1]))
    if len(results):
        assert np.mean(whole.pr_curves[0].precision) == pytest.approx(figures["AP50"], abs=1e-12)


def test_classes_add_up_to_the_operating_point(scene, whole):
    point = whole.operating_point
    assert sum(one.correct for one in whole.classes) == point.correct > 0
    assert sum(one.invented for one in whole.classes) == point.invented > 0
    assert sum(one.missed for one in whole.classes) == point.missed > 0
    _, results = scene
    shown = (results.scores >= whole.threshold).sum()
    assert sum(one.detections for one in whole.classes) == shown
    assert shown > point.correct + point.invented  # the rest fell into crowds


def test_figures_of_classes_are_cocos(scene, whole):
    for row, one in zip(evaluate(*scene)["per_class"], whole.classes, strict=True):
        assert {name: getattr(one, name) for name in row} == row


def test_thresholds_are_the_curves_highest_points(whole):
    for one, curve in zip(whole.classes, whole.score_curves[1:], strict=True):
        assert one.name == curve.name
        if one.threshold is not None:
            assert one.f1 >= max(curve.f1)
            assert one.f1 == pytest.approx(
                2 * one.precision * one.recall / (one.precision + one.recall)
            )
    assert whole.score_curves[0].name is None
    assert whole.operating_point.f1 >= max(whole.score_curves[0].f1)


def test_a_class_without_objects_has_undefined_figures_and_no_curve(whole):
    unseen = whole.classes[-1]
    assert unseen.objects == 0
    assert unseen.AP == unseen.AR100 == -1
    assert unseen.threshold is unseen.precision is unseen.recall is unseen.f1 is None
    assert unseen.invented > 0
    assert whole.pr_curves[-1].precision == whole.pr_curves[-1].recall == []


def test_sizes_have_all_objects_and_the_operating_points_recall(whole):
    for ranges in (whole.sizes, whole.shares):
        objects = sum(one.objects for one in ranges)
        assert objects == sum(one.objects for one in whole.classes)  # none is on a border here
        found = sum(one.recall * one.objects for one in ranges if one.objects)
        assert found == pytest.approx(whole.operating_point.correct)


def test_calibration_has_all_that_counts(scene, whole):
    split = read_split(*scene)
    kinds = judge_all(split.truth, split.found).kinds
    assert sum(one.detections for one in whole.calibration.bins) == (kinds != IGNORED).sum()


@pytest.mark.parametrize("keep", ["nothing", "one"])
def test_few_detections(scene, keep):
    truth, results = scene
    whole = analysis_of(truth, results.select(slice(keep == "one")))
    assert whole.operating_point.missed + whole.operating_point.correct > 0
    if keep == "nothing":
        assert whole.threshold == 0
        assert whole.operating_point.precision is None
        assert {one.threshold for one in whole.classes} == {None}
        assert whole.calibration.error is None
        assert whole.false_negatives_cost == 1
    json.dumps(whole.to_json(), allow_nan=False)


def test_no_object_in_any_image(tmp_path, scene):
    truth, results = scene
    empty = tmp_path / "truth.json"
    empty.write_text(json.dumps({**json.loads(truth.read_text()), "annotations": []}))
    whole = analysis_of(empty, results)
    assert whole.threshold == 0
    assert whole.operating_point.invented == len(results)
    assert whole.operating_point.recall is None
    assert whole.pr_curves[0].precision == []
    assert whole.confusion.counts[-1][0] > 0
    json.dumps(whole.to_json(), allow_nan=False)


def test_the_file_gives_the_analysis_back(tmp_path, whole):
    path = tmp_path / "analysis.json"
    write_json(path, whole.to_json())
    assert Analysis.read_json(path) == whole
    content = json.loads(path.read_text())
    assert content["sizes"][-1]["from"] == 192
    assert content["sizes"][-1]["to"] is None
    assert content["calibration"]["bins"][0]["to"] == 0.1
    assert list(content["errors"][0]) == ["kind", "count", "AP50_cost"]


@pytest.mark.parametrize("change", [{"classes": [{"name": "cat"}]}, {"newer": 1}, {"errors": None}])
def test_another_versions_file_is_refused(tmp_path, whole, change):
    path = tmp_path / "analysis.json"
    write_json(path, whole.to_json() | change)
    with pytest.raises(InputError, match=r"analysis\.json.*Run the evaluate stage"):
        Analysis.read_json(path)
