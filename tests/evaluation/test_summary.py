import pytest

from ssdcore.coco.metrics import evaluate
from ssdcore.evaluation.analyse import analyse
from ssdcore.evaluation.summary import of_classes, of_split
from tests.evaluation.scenes import NOTHING, write_scene


@pytest.fixture
def scene(tmp_path):
    return write_scene(tmp_path, 2)


def test_the_split_has_its_operating_point_and_costs(scene):
    truth, results = scene
    whole = analyse(truth, results, evaluate(truth, results))
    numbers = of_split(whole)
    assert numbers["threshold"] == whole.threshold
    assert numbers["f1"] == whole.operating_point.f1
    assert numbers["AP50_cost/localisation"] == whole.errors[1].AP50_cost > 0
    assert numbers["AP50_cost/false_negatives"] == whole.false_negatives_cost
    assert len(numbers) == 16


def test_classes_have_what_is_defined(scene):
    truth, results = scene
    whole = analyse(truth, results, evaluate(truth, results))
    named = of_classes(whole)
    assert [name for name, _ in named] == ["cat", "dog", "owl", "unseen"]
    assert named[0][1]["AP50"] == whole.classes[0].AP50
    assert named[0][1]["missed"] == whole.classes[0].missed
    assert list(named[-1][1]) == ["objects", "detections", "correct", "invented", "missed"]


def test_without_detections_nothing_undefined_is_tracked(scene):
    truth, _ = scene
    numbers = of_split(analyse(truth, NOTHING, evaluate(truth, NOTHING)))
    assert "precision" not in numbers
    assert "calibration_error" not in numbers
    assert all(isinstance(value, int | float) for value in numbers.values())
