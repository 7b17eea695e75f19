"""The cost of each kind of error: the AP50 that a detector without it would gain (TIDE).

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors" (2020), section
2.2: one kind is corrected, all else stays, and AP50 is measured again. The costs do not add up.
"""

import numpy as np

from ssdcore.coco.detection_matching import Flags, Found, Ints
from ssdcore.evaluation.average_precision import average_precisions
from ssdcore.evaluation.judged import JudgedSplit
from ssdcore.evaluation.named_table import Chart, Column, Table
from ssdcore.evaluation.outcomes import (
    BACKGROUND,
    BOTH,
    CLASS,
    DUPLICATE,
    KINDS,
    LOCALISATION,
    MEANINGS,
    MISSED,
)

CORRECTED = (CLASS, LOCALISATION)
REMOVED = (BOTH, DUPLICATE, BACKGROUND)


def errors(judged: JudgedSplit) -> Table:
    """Counts each kind of error at any score, with the AP50 that it costs.

    A class counts if it has objects. If the correction removes all of them, its AP50 is 0; if it
    also has no detections, it does not count, as in the authors' code. (Theirs divides by zero if
    no class counts; here AP50 is then 1.)
    """
    found, outcomes, objects = judged.split.found, judged.outcomes, judged.split.objects()
    kinds, missed, correct = outcomes.kinds, outcomes.missed, judged.correct
    all_wrong = judged.counted & ~correct
    taken = np.zeros(len(missed), bool)
    taken[outcomes.objects[correct]] = True
    base = _ap50(found, correct, all_wrong, objects, objects)

    def gain(
        found: Found = found,
        correct: Flags = correct,
        wrong: Flags = all_wrong,
        left: Ints = objects,
    ) -> float:
        return _ap50(found, correct, wrong, left, objects) - base

    cost_of = {}
    claims = _claims(judged)
    for kind in CORRECTED:
        # With class or box corrected a detection gets its object; where that is not free, or
        # a better score claims it, the detection is removed.
        fixed = claims & (kinds == kind)
        label = found.label.copy()
        label[fixed] = judged.split.truth.label[outcomes.objects[fixed]]
        cost_of[KINDS[kind]] = gain(
            found._replace(label=label), correct | fixed, all_wrong & (kinds != kind)
        )
    for kind in REMOVED:
        cost_of[KINDS[kind]] = gain(wrong=all_wrong & (kinds != kind))
    cost_of[MISSED] = gain(left=judged.split.objects(~missed))
    # Without false positives every wrong detection scores below every correct one.
    false_positives = gain(found._replace(score=correct.astype(np.float64)))
    false_negatives = gain(left=judged.split.objects(taken))

    def times(shown: Flags) -> dict[str, int]:
        counts = np.bincount(kinds[shown], minlength=len(KINDS)).tolist()
        still = outcomes.missed_from(shown, judged.split.truth.crowd)
        return dict(zip(KINDS, counts, strict=True)) | {MISSED: int(still.sum())}

    anywhere, from_threshold = times(kinds >= 0), times(judged.shown)
    return Table(
        name="errors",
        section="Errors",
        title="Cost of each kind of error",
        note="Each wrong detection and each missed object is one kind of error (TIDE, at IoU 0.5). "
        "Its cost is what AP50 would gain without it, with the detections of any score; the costs "
        "do not add up, as one error can hide another. All detections that are not correct "
        f"together cost {false_positives:.3f}, all objects that are not found "
        f"{false_negatives:.3f}. The threshold is {judged.threshold:.3f}.",
        columns=(
            Column("kind", "outcome", "error"),
            Column("AP50_cost", title="costs in AP50"),
            Column("count", "count", "times at any score"),
            Column("from_threshold", "count", "from the threshold on"),
            Column("meaning", "text", "what it is"),
        ),
        rows=[
            (kind, cost, anywhere[kind], from_threshold[kind], MEANINGS[kind])
            for kind, cost in cost_of.items()
        ],
        chart=Chart("ranking", "kind", ("AP50_cost",)),
        scalars={
            **{f"AP50_cost/{kind}": cost for kind, cost in cost_of.items()},
            "AP50_cost/false_positives": false_positives,
            "AP50_cost/false_negatives": false_negatives,
        },
    )


def _claims(judged: JudgedSplit) -> Flags:
    """Marks the class and localisation errors (N,) that would get their object, if corrected.

    Of several on an object that no correct detection takes, the best score gets it.
    """
    about, score = judged.outcomes.objects, judged.split.found.score
    rows = np.flatnonzero(np.isin(judged.outcomes.kinds, CORRECTED))
    free = np.ones(len(judged.split.truth.label), bool)
    free[about[judged.correct]] = False
    rows = rows[free[about[rows]]]
    rows = rows[np.argsort(-score[rows], kind="stable")]
    _, first = np.unique(about[rows], return_index=True)
    claims = np.zeros(len(score), bool)
    claims[rows[first]] = True
    return claims


def _ap50(found: Found, correct: Flags, wrong: Flags, left: Ints, objects: Ints) -> float:
    """Returns the mean AP50 of the classes with objects (C,), of which some are left (C,)."""
    precisions = average_precisions(found, correct[:, None], wrong[:, None], left)[:, 0]
    counted = np.bincount(found.label[correct | wrong] - 1, minlength=len(objects))
    there = (objects > 0) & ((left > 0) | (counted > 0))
    if not there.any():
        return float(objects.any())
    return float(np.maximum(precisions[there], 0).mean())
