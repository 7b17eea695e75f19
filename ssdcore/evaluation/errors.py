"""What each kind of error costs: the AP50 that a detector without it would gain (TIDE).

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors" (2020), section
2.2: one kind is mended, all else stays, and AP50 is measured again. The costs do not add up.
"""

import numpy as np

from ssdcore.evaluation.analysis import ErrorCost
from ssdcore.evaluation.average_precision import average_precisions
from ssdcore.evaluation.outcomes import (
    BACKGROUND,
    BOTH,
    CLASS,
    CORRECT,
    DUPLICATE,
    IGNORED,
    KINDS,
    LOCALISATION,
    Verdict,
)
from ssdcore.evaluation.pairs import Flags, Found, Ints
from ssdcore.evaluation.split import Split

MISSED = "missed"
REMOVED = (BOTH, DUPLICATE, BACKGROUND)


class Costs:
    """Measures what the errors of a split cost.

    A class counts where it has objects. One that has none left, since all were missed, has an
    AP50 of 0, and where nothing was detected of it either, none, as in the authors' code. (Of no
    class at all theirs divides by zero; here nothing is left to gain, an AP50 of 1.)
    """

    def __init__(self, split: Split, verdict: Verdict) -> None:
        self._split, self._verdict = split, verdict
        self._correct = verdict.kinds == CORRECT
        self._wrong = ~self._correct & (verdict.kinds != IGNORED)
        self._objects = split.objects()
        self._base = self._ap50(split.found, self._correct, self._wrong, self._objects)

    def by_kind(self) -> list[ErrorCost]:
        """Returns how often each kind of error occurs and what it costs."""
        counts = np.bincount(self._verdict.kinds, minlength=len(KINDS))
        costs = {kind: self._of_mended(kind) for kind in (CLASS, LOCALISATION)}
        costs |= {kind: self._of_removed(kind) for kind in REMOVED}
        missed = self._verdict.missed
        errors = [ErrorCost(KINDS[kind], int(counts[kind]), cost) for kind, cost in costs.items()]
        return [*errors, ErrorCost(MISSED, int(missed.sum()), self._of_unfound(missed))]

    def of_false_positives(self) -> float:
        """Returns what AP50 gains where every wrong detection scores below every correct one."""
        found = self._split.found._replace(score=self._correct.astype(np.float64))
        return self._ap50(found, self._correct, self._wrong, self._objects) - self._base

    def of_false_negatives(self) -> float:
        """Returns what AP50 gains where only the objects count that a correct detection takes."""
        taken = np.zeros(len(self._split.truth.label), bool)
        taken[self._verdict.objects[self._correct]] = True
        return self._of_unfound(~taken)

    def _of_mended(self, kind: int) -> float:
        """Mends class or place: correct where the object is free, gone where it is not.

        Of several class and localisation errors on a free object the best score gets it.
        """
        verdict, found = self._verdict, self._split.found
        mended = (verdict.kinds == kind) & self._claims()
        gone = (verdict.kinds == kind) & ~mended
        label = found.label.copy()
        label[mended] = self._split.truth.label[verdict.objects[mended]]
        correct, wrong = self._correct | mended, self._wrong & ~mended & ~gone
        return self._ap50(found._replace(label=label), correct, wrong, self._objects) - self._base

    def _of_removed(self, kind: int) -> float:
        wrong = self._wrong & (self._verdict.kinds != kind)
        return self._ap50(self._split.found, self._correct, wrong, self._objects) - self._base

    def _of_unfound(self, objects: Flags) -> float:
        left = self._split.objects(~objects)
        return self._ap50(self._split.found, self._correct, self._wrong, left) - self._base

    def _claims(self) -> Flags:
        """Marks the class and localisation errors (N,) that would get their object."""
        verdict, score = self._verdict, self._split.found.score
        rows = np.flatnonzero(np.isin(verdict.kinds, [CLASS, LOCALISATION]))
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
