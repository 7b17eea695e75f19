"""Everything that is said of a split's detections, computed from the predictions alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.results import CocoResults
from ssdcore.evaluation.analysis import Analysis, ClassAnalysis, Confusion, PrCurve
from ssdcore.evaluation.average_precision import RECALLS
from ssdcore.evaluation.calibration import calibrate
from ssdcore.evaluation.confusion import confusion
from ssdcore.evaluation.errors import Costs
from ssdcore.evaluation.outcomes import CORRECT, IGNORED, judge_all
from ssdcore.evaluation.score_curves import Ranked, best_threshold, curve, operating_point, rank
from ssdcore.evaluation.sizes import by_size
from ssdcore.evaluation.split import read_split


def analyse(
    ground_truth_json: Path | CocoSplit, results: CocoResults, figures: Mapping[str, Any]
) -> Analysis:
    """Says of the detections what COCO's figures do not.

    Args:
        ground_truth_json: the COCO annotation file, or its content if it has been read.
        results: the detections; may be none.
        figures: `ssdcore.coco.metrics.evaluate` of the two.
    """
    split = read_split(ground_truth_json, results)
    verdict = judge_all(split.truth, split.found)
    correct, counts = verdict.kinds == CORRECT, verdict.kinds != IGNORED
    score, label, objects = split.found.score, split.found.label, split.objects()
    together = rank(score[counts], correct[counts], int(objects.sum()))
    by_class = [
        rank(score[mine], correct[mine], int(objects[number]))
        for number in range(len(split.names))
        for mine in [counts & (label == number + 1)]
    ]
    threshold = best_threshold(together) or 0.0
    shown = score >= threshold
    detections = np.bincount(label[shown] - 1, minlength=len(split.names))
    taken = np.zeros(len(split.truth.label), bool)
    taken[verdict.objects[correct & shown]] = True
    sizes, shares = by_size(split, taken)
    costs = Costs(split, verdict)
    return Analysis(
        threshold=threshold,
        operating_point=operating_point(together, threshold),
        classes=[
            _of_class(row, ranked, threshold, int(count))
            for row, ranked, count in zip(figures["per_class"], by_class, detections, strict=True)
        ],
        score_curves=[
            curve(None, together),
            *(curve(name, one) for name, one in zip(split.names, by_class, strict=True)),
        ],
        pr_curves=_pr_curves(figures["pr_curves"]),
        confusion=Confusion(list(split.names), confusion(split, verdict, shown).tolist()),
        errors=costs.by_kind(),
        false_positives_cost=costs.of_false_positives(),
        false_negatives_cost=costs.of_false_negatives(),
        sizes=sizes,
        shares=shares,
        calibration=calibrate(score[counts], correct[counts]),
    )


def _of_class(
    row: Mapping[str, Any], ranked: Ranked, threshold: float, detections: int
) -> ClassAnalysis:
    there = operating_point(ranked, threshold)
    own_threshold = best_threshold(ranked)
    own = operating_point(ranked, np.inf if own_threshold is None else own_threshold)
    return ClassAnalysis(
        **row,
        detections=detections,
        threshold=own_threshold,
        precision=own.precision,
        recall=own.recall,
        f1=own.f1,
        correct=there.correct,
        invented=there.invented,
        missed=there.missed,
    )


def _pr_curves(curves: Sequence[Mapping[str, Any]]) -> list[PrCurve]:
    defined = [one["precision"] for one in curves if one["precision"]]
    mean = np.mean(defined, axis=0).tolist() if defined else []
    return [
        PrCurve(None, RECALLS.tolist() if defined else [], mean),
        *(PrCurve(**one) for one in curves),
    ]
