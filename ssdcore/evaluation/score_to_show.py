"""The minimum score of the detections that people see."""

import json
from pathlib import Path

from ssdcore.core.errors import InputError


def score_to_show(chosen: float | None, metrics: Path) -> float:
    """Returns the minimum score of a detection to show.

    Args:
        chosen: the user's choice; None takes the evaluation's.
        metrics: metrics/evaluate.json, with the score of highest F1.

    Raises:
        InputError: no score was chosen, and there is no evaluation.
    """
    if chosen is not None:
        return chosen
    try:
        return float(json.loads(metrics.read_text(encoding="utf-8"))["threshold"])
    except (OSError, ValueError, KeyError):
        raise InputError(
            "report.score_threshold", None, f"a score, or {metrics} with the best one",
            "Choose a score, or run the evaluate stage",
        ) from None  # fmt: skip
