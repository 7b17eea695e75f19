"""A split's judgement against COCO's figures, on random scenes and outside cases."""

from pathlib import Path

import numpy as np
import pytest

from ssdcore.coco.metrics import evaluate
from ssdcore.coco.results import read_results
from ssdcore.evaluation.average_precision import average_precisions
from ssdcore.evaluation.judged import judge_split, unlike
from tests.evaluation.scenes import write_scene

CASES = Path(__file__).parents[3] / "shared/data/eval_parity"


def check_ap50(truth, results):
    """AP50 of each class by this package's judgement is pycocotools' own."""
    figures = evaluate(truth, results)
    judged = judge_split(truth, results, figures)
    wrong = judged.counted & ~judged.correct
    split = judged.split
    own = average_precisions(split.found, judged.correct[:, None], wrong[:, None], split.objects())[
        :, 0
    ]
    expected = [row["AP50"] for row in figures["per_class"]]
    np.testing.assert_allclose(own, expected, atol=1e-12)


def test_the_judgement_is_pycocotools(tmp_path):
    check_ap50(*write_scene(tmp_path, 2))


@pytest.mark.skipif(not CASES.is_dir(), reason="outside evaluator cases are not here")
@pytest.mark.parametrize("case", [p.name for p in sorted(CASES.glob("*/"))])
def test_the_judgement_is_pycocotools_on_outside_cases(case):
    check_ap50(CASES / case / "gt.json", read_results(CASES / case / "dt.json"))


def test_a_word_unlike_all_names():
    assert unlike("all", ["cat"]) == "all"
    assert unlike("all", ["all", "(all)"]) == "((all))"
