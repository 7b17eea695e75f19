"""COCO's figures: the twelve of all classes, and those of each class with its outcomes."""

import numpy as np

from ssdcore.coco.metrics import FIGURES, defined
from ssdcore.coco.operating_point import best_threshold, operating_point
from ssdcore.evaluation.bootstrap import RESAMPLES, interval
from ssdcore.evaluation.judged import JudgedSplit
from ssdcore.evaluation.named_table import Chart, Column, Row, Table

MEANINGS = {
    "AP": "The COCO score: average precision, the mean over all classes and over ten IoU "
    "thresholds from 0.50 (loose) to 0.95 (nearly exact).",
    "AP50": "Average precision where a box counts from IoU 0.50: found, perhaps poorly localised.",
    "AP75": "Average precision where a box counts from IoU 0.75: found and well localised.",
    "APs": "AP of small objects, below 32 by 32 pixels in the original image.",
    "APm": "AP of medium objects, from 32 by 32 to 96 by 96 pixels.",
    "APl": "AP of large objects, above 96 by 96 pixels.",
    "AR1": "Average recall: the share of objects found, over the same IoU thresholds, if only the "
    "best detection of each class in an image counts.",
    "AR10": "The same with the ten best detections.",
    "AR100": "The same with the hundred best: what the detector finds at all.",
    "ARs": "AR100 of small objects.",
    "ARm": "AR100 of medium objects.",
    "ARl": "AR100 of large objects.",
}
COLUMNS = (
    Column("name", "text", "class"),
    Column("AP"),
    Column("AP50"),
    Column("AP75"),
    Column("AR1", listed=False),
    Column("AR10", listed=False),
    Column("AR100"),
    Column("objects", "count"),
    Column("detections", "count", listed=False),
    Column("threshold", title="score"),
    Column("precision"),
    Column("recall"),
    Column("f1", title="F1"),
    Column("found", "count"),
    Column("wrong", "count"),
    Column("not_found", "count", listed=False),
    Column("AP_low", listed=False),
    Column("AP_high", listed=False),
)


def coco_figures(judged: JudgedSplit) -> Table:
    """One row per figure, in COCO's order, with its interval; None is undefined.

    Its scalars are the interval of AP.
    """
    resamples = judged.bootstrap.figures
    intervals = {name: interval(resamples[name]) or (None, None) for name in FIGURES}
    low, high = intervals["AP"]
    return Table(
        name="coco_figures",
        section="COCO figures",
        title="The twelve COCO figures",
        note="Other images would give other figures. Each lies between low and high in "
        f"95 % of {RESAMPLES:,} resamples of the images (bootstrap).",
        columns=(
            Column("figure", "text"),
            Column("value"),
            Column("low"),
            Column("high"),
            Column("meaning", "text", "what it means"),
        ),
        rows=[
            (name, defined(judged.figures[name]), *intervals[name], MEANINGS[name])
            for name in FIGURES
        ],
        scalars={"AP_low": low, "AP_high": high},
    )


def per_class(judged: JudgedSplit) -> Table:
    """One row per class, in the order of the ids; crowd regions are not counted as objects.

    The AP and AR are COCO's, None without objects; a threshold is None without a correct
    detection.
    """
    labels = judged.split.found.label[judged.shown]
    detections = np.bincount(labels - 1, minlength=len(judged.split.names)).tolist()
    rows: list[Row] = []
    for figures, resamples, ranked, shown in zip(
        judged.figures["per_class"], judged.bootstrap.classes, judged.ranked_by_class, detections,
        strict=True,
    ):  # fmt: skip
        threshold = best_threshold(ranked)
        own = operating_point(ranked, np.inf if threshold is None else threshold)
        overall = operating_point(ranked, judged.threshold)
        low, high = interval(resamples) or (None, None)
        cells = {
            **{name: defined(figure) for name, figure in figures.items()},
            "AP_low": low,
            "AP_high": high,
            "detections": shown,
            "threshold": threshold,
            **overall._asdict(),
            **{name: getattr(own, name) for name in ("precision", "recall", "f1")},
        }
        rows.append(tuple(cells[column.name] for column in COLUMNS))
    return Table(
        name="per_class",
        section="Classes",
        title="Figures of each class",
        note="Found objects and wrong detections are counted from a score of "
        f"{judged.threshold:.3f} on; precision, recall and F1 are at the class's own best score. "
        "A class without objects in these images has no figures.",
        columns=COLUMNS,
        rows=rows,
        chart=Chart("ranking", "name", ("AP50", "AP")),
    )
