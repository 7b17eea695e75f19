"""The evaluation's files: predictions, figures by class, precision-recall curves, metrics."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ssdcore import layout
from ssdcore.detection.coco_metrics import FIGURES
from ssdcore.files import write_json, write_text


def write_evaluation(
    figures: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    images: int,
    speed: float,
    device: str,
) -> dict[str, Any]:
    """Writes evaluation/ and metrics/evaluate.json, and returns the latter's content.

    Args:
        figures: from `ssdcore.detection.coco_metrics.evaluate`.
        results: the detections in COCO's results format.
        images: how many images were evaluated.
        speed: images per second, decoding and suppression included.
        device: what computed at that speed.
    """
    write_json(layout.PREDICTIONS, results)
    _write_csv(layout.PER_CLASS, figures["per_class"])
    curves = [
        {"class": curve["name"], "recall": recall, "precision": precision}
        for curve in figures["pr_curves"]
        for recall, precision in zip(curve["recall"], curve["precision"], strict=True)
    ]
    _write_csv(layout.PR_CURVES, curves, header=("class", "recall", "precision"))
    metrics = {
        "bbox": {name: figures[name] for name in FIGURES},
        "images": images,
        "images_per_second": round(speed, 2),
        "device": device,
    }
    write_json(layout.EVALUATE_METRICS, metrics)
    return metrics


def _write_csv(
    path: Path, rows: Sequence[Mapping[str, Any]], header: Iterable[str] | None = None
) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(header or rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
