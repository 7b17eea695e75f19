"""What each kind of error costs: the AP50 that a detector without it would gain (TIDE).

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors" (2020), section
2.2: one kind is corrected, all else stays, and AP50 is measured again. The costs do not add up.
"""

import numpy as np

from ssdcore.evaluation.average_precision import average_precisions
from ssdcore.evaluation.judged import JudgedSplit
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
from ssdcore.evaluation.pairs import Flags, Found, Ints
from ssdcore.evaluation.table import LOWER, Chart, Column, Table

CORRECTED = (CLASS, LOCALISATION)
REMOVED = (BOTH, DUPLICATE, BACKGROUND)


def errors(judged: JudgedSplit) -> Table:
    """How often each kind of error occurs at any score, and the AP50 that it costs.

    A class counts if it has objects. If the correction removes all of them, its AP50 is 0; if it
    also has no detections, it does not count, as in the authors' code. (Theirs divides by zero if
    no class counts; here AP50 is then 1.)
    """
    costs = _Costs(judged)
    counts = np.bincount(judged.verdict.kinds, minlength=len(KINDS))
    missed = judged.verdict.missed
    times = {KINDS[kind]: int(counts[kind]) for kind in (*CORRECTED, *REMOVED)}
    cost_of = {KINDS[kind]: costs.of_corrected(kind) for kind in CORRECTED}
    cost_of |= {KINDS[kind]: costs.of_removed(kind) for kind in REMOVED}
    times[MISSED], cost_of[MISSED] = int(missed.sum()), costs.of_unfound(missed)
    wrong, unfound = costs.of_false_positives(), costs.of_false_negatives()
    return Table(
        name="errors",
        section="Errors",
        title="Cost of each kind of error",
        note="Each wrong detection and each missed object is one kind of error (TIDE, at IoU 0.5), "
        "at any score. Its cost is what AP50 would gain without it; the costs do not add up, as "
        "one error can hide another. All detections that are not correct together cost "
        f"{wrong:.3f}, all objects that are not found {unfound:.3f}.",
        columns=(
            Column("kind", "outcome", "error"),
            Column("AP50_cost", title="costs in AP50", better=LOWER),
            Column("count", "count", "times"),
            Column("meaning", "text", "what it is"),
        ),
        rows=[(kind, cost_of[kind], times[kind], MEANINGS[kind]) for kind in cost_of],
        chart=Chart("ranking", "kind", ("AP50_cost",)),
        scalars={
            **{f"AP50_cost/{kind}": cost for kind, cost in cost_of.items()},
            "AP50_cost/false_positives": wrong,
            "AP50_cost/false_negatives": unfound,
        },
    )


class _Costs:
    """Measures AP50 anew with some errors corrected."""

    def __init__(self, judged: JudgedSplit) -> None:
        self._split, self._verdict = judged.split, judged.verdict
        self._correct = judged.correct
        self._wrong = judged.counted & ~judged.correct
        self._objects = judged.split.objects()
        self._base = self._ap50(judged.split.found, self._correct, self._wrong, self._objects)

    def of_false_positives(self) -> float:
        """Returns the gain if every wrong detection scored below every correct one."""
        found = self._split.found._replace(score=self._correct.astype(np.float64))
        return self._ap50(found, self._correct, self._wrong, self._objects) - self._base

    def of_false_negatives(self) -> float:
        """Returns the gain if only the objects counted that a correct detection takes."""
        taken = np.zeros(len(self._split.truth.label), bool)
        taken[self._verdict.objects[self._correct]] = True
        return self.of_unfound(~taken)

    def of_unfound(self, objects: Flags) -> float:
        """Returns the gain if these objects (M,) did not count."""
        left = self._split.objects(~objects)
        return self._ap50(self._split.found, self._correct, self._wrong, left) - self._base

    def of_corrected(self, kind: int) -> float:
        """Returns the gain with class or box corrected: removed where the object is not free.

        Of several class and localisation errors on a free object the best score gets it.
        """
        verdict, found = self._verdict, self._split.found
        corrected = (verdict.kinds == kind) & self._claims()
        removed = (verdict.kinds == kind) & ~corrected
        label = found.label.copy()
        label[corrected] = self._split.truth.label[verdict.objects[corrected]]
        correct, wrong = self._correct | corrected, self._wrong & ~corrected & ~removed
        return self._ap50(found._replace(label=label), correct, wrong, self._objects) - self._base

    def of_removed(self, kind: int) -> float:
        """Returns the gain without these detections."""
        wrong = self._wrong & (self._verdict.kinds != kind)
        return self._ap50(self._split.found, self._correct, wrong, self._objects) - self._base

    def _claims(self) -> Flags:
        """Marks the class and localisation errors (N,) that would get their object."""
        verdict, score = self._verdict, self._split.found.score
        rows = np.flatnonzero(np.isin(verdict.kinds, CORRECTED))
        free = np.ones(len(self._split.truth.label), bool)
        free[verdict.objects[self._correct]] = False
        rows = rows[free[verdict.objects[rows]]]
        rows = rows[np.argsort(-score[rows], kind="stable")]
        _, first = np.unique(verdict.objects[rows], return_index=True)
        claims = np.zeros(len(score), bool)
        claims[rows[first]] = True
        return claims

    def _ap50(self, found: Found, correct: Flags, wrong: Flags, objects: Ints) -> float:
        precisions = average_precisions(found, correct[:, None], wrong[:, None], objects)[:, 0]
        counted = np.bincount(found.label[correct | wrong] - 1, minlength=len(objects))
        there = (self._objects > 0) & ((objects > 0) | (counted > 0))
        if not there.any():
            return float(self._objects.any())
        return float(np.maximum(precisions[there], 0).mean())
