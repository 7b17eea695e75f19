import json
from pathlib import Path

import numpy as np
import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.metrics import evaluate
from ssdcore.coco.operating_point import best_f1_threshold
from ssdcore.coco.results import CocoResults, read_results
from ssdcore.core.errors import InputError
from ssdcore.evaluation.average_precision import average_precisions
from ssdcore.evaluation.judged import judge_split
from ssdcore.evaluation.outcomes import IGNORED
from ssdcore.evaluation.split import read_split
from tests.evaluation.scenes import write_scene

CASES = Path(__file__).parents[3] / "shared/data/eval_parity"


def check_ap50(truth, results, expected):
    """AP50 of each class, in the order of their ids, by this package's judgement."""
    judged = judge_split(read_coco(truth), results, {})
    wrong = judged.counted & ~judged.correct
    split = judged.split
    own = average_precisions(split.found, judged.correct[:, None], wrong[:, None], split.objects())[
        :, 0
    ]
    np.testing.assert_allclose(own, expected, atol=1e-12)


def test_the_judgement_is_pycocotools(tmp_path):
    truth, results = write_scene(tmp_path, 2)
    check_ap50(truth, results, [row["AP50"] for row in evaluate(truth, results)["per_class"]])


@pytest.mark.skipif(not CASES.is_dir(), reason="outside evaluator cases are not here")
@pytest.mark.parametrize("case", [p.name for p in sorted(CASES.glob("*/"))])
def test_the_judgement_is_pycocotools_on_outside_cases(case):
    classes = json.loads((CASES / case / "expected.json").read_text())["per_category"]
    expected = [classes[id_]["AP50"] for id_ in sorted(classes, key=int)]
    check_ap50(CASES / case / "gt.json", read_results(CASES / case / "dt.json"), expected)


@pytest.mark.parametrize("seed", range(3))
def test_training_finds_the_threshold_of_the_analysis(tmp_path, seed):
    truth, results = write_scene(tmp_path, seed)
    judged = judge_split(read_coco(truth), results, {})
    assert (judged.outcomes.kinds == IGNORED).any()
    assert best_f1_threshold(read_coco(truth), results) == judged.threshold > 0


def test_the_best_hundred_of_a_class_in_an_image_count(tmp_path):
    truth, _ = write_scene(tmp_path, 5)
    results = [
        {"image_id": 1, "category_id": 3, "score": n / 1000, "bbox": [0, 0, 5, 5]}
        for n in range(150)
    ]
    other = {"image_id": 1, "category_id": 5, "score": 0.001, "bbox": [0, 0, 5, 5]}
    split = read_split(read_coco(truth), CocoResults.from_rows([*results, other]))
    assert len(split.found.score) == 101
    assert sorted(split.found.score)[:2] == [0.001, 0.05]


@pytest.mark.parametrize("wrong", [{"image_id": 41}, {"image_id": 0}, {"category_id": 4}])
def test_what_the_annotation_file_does_not_know_is_no_neighbours(tmp_path, wrong):
    truth, _ = write_scene(tmp_path, 5)
    result = {"image_id": 1, "category_id": 3, "score": 0.5, "bbox": [0, 0, 5, 5], **wrong}
    with pytest.raises(InputError, match=f"found {next(iter(wrong.values()))}, expected"):
        read_split(read_coco(truth), CocoResults.from_rows([result]))
