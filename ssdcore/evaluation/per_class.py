"""The figures of each class: COCO's, and the outcomes at two score thresholds."""

import numpy as np

from ssdcore.evaluation.judged import JudgedSplit
from ssdcore.evaluation.operating_point import best_threshold, operating_point
from ssdcore.evaluation.table import HIGHER, Chart, Column, Row, Table

COLUMNS = (
    Column("name", "text", "class"),
    Column("AP", better=HIGHER),
    Column("AP50", better=HIGHER),
    Column("AP75", better=HIGHER),
    Column("AR1", listed=False),
    Column("AR10", listed=False),
    Column("AR100", better=HIGHER),
    Column("objects", "count"),
    Column("detections", "count", listed=False),
    Column("threshold", title="score"),
    Column("precision"),
    Column("recall"),
    Column("f1", title="F1"),
    Column("correct", "count", "found"),
    Column("invented", "count", "wrong"),
    Column("missed", "count"),
)


def per_class(judged: JudgedSplit) -> Table:
    """One row per class, in the order of the ids; crowd regions are not counted as objects.

    The AP and AR are COCO's, -1 without objects; a threshold is None without a correct detection.
    """
    labels = judged.split.found.label[judged.shown]
    detections = np.bincount(labels - 1, minlength=len(judged.split.names)).tolist()
    rows: list[Row] = []
    for figures, ranked, shown in zip(
        judged.figures["per_class"], judged.ranked_by_class, detections, strict=True
    ):
        threshold = best_threshold(ranked)
        own = operating_point(ranked, np.inf if threshold is None else threshold)
        overall = operating_point(ranked, judged.threshold)
        cells = {
            **figures,
            "detections": shown,
            "threshold": threshold,
            **own._asdict(),
            **{name: getattr(overall, name) for name in ("correct", "invented", "missed")},
        }
        rows.append(tuple(cells[column.name] for column in COLUMNS))
    return Table(
        name="per_class",
        section="Classes",
        title="Figures of each class",
        note="Found, missed and wrong are counts from a score of "
        f"{judged.threshold:.3f} on; precision, recall and F1 are at the class's own best score. "
        "A class without objects in the validation set has no figures.",
        columns=COLUMNS,
        rows=rows,
        chart=Chart("ranking", "name", ("AP50", "AP")),
    )
