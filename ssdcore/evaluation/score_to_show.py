"""From which score on detections are shown to people."""

import json
from pathlib import Path

from ssdcore.core.errors import InputError


def score_to_show(chosen: float | None, metrics: Path) -> float:
    """Returns the least score of a detection that is worth showing.

    Args:
        chosen: what the user wants; None leaves it to the evaluation.
        metrics: metrics/evaluate.json, with the score of highest F1.

    Raises:
        InputError: nothing was chosen, and there is no evaluation.
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
