"""Precision over recall, and F1 over the score threshold, by class."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ssdcore.coco.operating_point import operating_point
from ssdcore.evaluation.average_precision import RECALLS
from ssdcore.evaluation.judged import JudgedSplit
from ssdcore.evaluation.named_table import Chart, Column, Row, Table

THRESHOLDS = np.arange(101) / 100
NOTABLE_F1 = 0.001
"""Minimum difference of F1 at which another score threshold is mentioned."""


def lost_f1(scalars: Mapping[str, Any]) -> float:
    """Returns how much lower F1 is at the threshold than at its highest; 0 below `NOTABLE_F1`."""
    lost = float(scalars.get("best_f1") or 0) - float(scalars.get("f1") or 0)
    return lost if lost >= NOTABLE_F1 else 0.0


def precision_recall(judged: JudgedSplit) -> Table:
    """COCO's 101 points of each class with objects, at IoU 0.5, after the mean of the classes."""
    curves = {one["name"]: one["precision"] for one in judged.figures["pr_curves"]}
    defined = [precision for precision in curves.values() if precision]
    mean = np.mean(defined, axis=0).tolist() if defined else []
    lines = {judged.all_classes: mean, **curves}
    return Table(
        name="pr_curves",
        section="Curves",
        title="Precision over recall, at IoU 0.5",
        note="The thick line is the mean of the classes, each thin line one class.",
        columns=(Column("class", "text"), Column("recall"), Column("precision")),
        rows=[
            (name, recall, precision)
            for name, line in lines.items()
            if line
            for recall, precision in zip(RECALLS.tolist(), line, strict=True)
        ],
        chart=Chart("lines", "recall", ("precision",), by="class", main=judged.all_classes),
        listed=False,
    )


def score_curves(judged: JudgedSplit) -> Table:
    """The figures at thresholds 0, 0.01, … 1 and the best one, all classes together first.

    Its scalars are the threshold, the operating point there, and the best F1 with its threshold.
    """
    thresholds = np.union1d(THRESHOLDS, judged.threshold).tolist()
    names = [judged.all_classes, *judged.split.names]
    rows: list[Row] = []
    for name, ranked in zip(names, [judged.ranked, *judged.ranked_by_class], strict=True):
        for threshold in thresholds:
            point = operating_point(ranked, threshold)
            rows.append((name, threshold, point.precision, point.recall, point.f1))
    threshold, best = judged.threshold, judged.best_threshold
    whose = "the threshold" if judged.chosen is None else "the model's threshold"
    if best is None:
        highest = ". No detection is correct."
    elif f"{threshold:.3f}" == f"{best:.3f}":
        highest = ", of the highest F1."
    else:
        highest = f". The highest F1 is at {best:.3f}."
    return Table(
        name="score_curves",
        section="Curves",
        title="F1 over the score threshold",
        note="The thick line is of all classes together, each thin line one class. The dotted line "
        f"is {whose}, {threshold:.3f}{highest}",
        columns=(
            Column("class", "text"),
            Column("score", title="score threshold"),
            Column("precision"),
            Column("recall"),
            Column("f1", title="F1"),
        ),
        rows=rows,
        chart=Chart(
            "lines", "score", ("f1",), by="class", main=judged.all_classes,
            marks=(threshold,),
        ),
        listed=False,
        scalars={
            "threshold": threshold,
            **operating_point(judged.ranked, threshold)._asdict(),
            "best_f1": operating_point(judged.ranked, np.inf if best is None else best).f1,
            "best_threshold": best,
        },
    )  # fmt: skip
