"""The analysis as named numbers, for a tracker; undefined ones are left out."""

from dataclasses import asdict

from ssdcore.coco.metrics import UNDEFINED
from ssdcore.evaluation.analysis import Analysis

OF_CLASSES = (
    "AP", "AP50", "AR100", "threshold", "f1", "objects", "detections", "correct", "invented",
    "missed",
)  # fmt: skip


def of_split(analysis: Analysis) -> dict[str, float]:
    """Returns the operating point, calibration error and costs in AP50 of the kinds of errors."""
    numbers = {
        "threshold": analysis.threshold,
        **asdict(analysis.operating_point),
        "calibration_error": analysis.calibration.error,
        **{f"AP50_cost/{error.kind}": error.AP50_cost for error in analysis.errors},
        "AP50_cost/false_positives": analysis.false_positives_cost,
        "AP50_cost/false_negatives": analysis.false_negatives_cost,
    }
    return {name: value for name, value in numbers.items() if value is not None}


def of_classes(analysis: Analysis) -> list[tuple[str, dict[str, float]]]:
    """Returns each class's name and figures, in the order of the ids."""
    return [
        (
            one.name,
            {
                name: value
                for name in OF_CLASSES
                if (value := getattr(one, name)) not in (None, UNDEFINED)
            },
        )
        for one in analysis.classes
    ]
