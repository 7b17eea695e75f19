"""COCO's twelve figures, with what each one means."""

from ssdcore.coco.metrics import FIGURES
from ssdcore.evaluation.judged import JudgedSplit
from ssdcore.evaluation.table import HIGHER, Column, Table

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


def coco_figures(judged: JudgedSplit) -> Table:
    """One row per figure, in COCO's order; -1 is undefined."""
    return Table(
        name="coco_figures",
        section="COCO figures",
        title="The twelve COCO figures",
        columns=(
            Column("figure", "text"),
            Column("value", better=HIGHER),
            Column("meaning", "text", "what it means"),
        ),
        rows=[(name, judged.figures[name], MEANINGS[name]) for name in FIGURES],
    )
