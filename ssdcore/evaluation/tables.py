"""The evaluation's files: predictions, metrics, the analysis, and its tables for DVC's plots."""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ssdcore.coco.metrics import FIGURES
from ssdcore.coco.results import CocoResults, write_results
from ssdcore.core import layout
from ssdcore.core.files import write_json, write_text
from ssdcore.evaluation.analysis import Analysis, ClassAnalysis

Row = Mapping[str, Any]


def write_evaluation(
    figures: Mapping[str, Any],
    analysis: Analysis,
    results: CocoResults,
    images: int,
    speed: float,
    milliseconds: Mapping[str, float],
    device: str,
) -> dict[str, Any]:
    """Writes evaluation/ and metrics/evaluate.json, and returns the latter's content.

    Args:
        figures: from `ssdcore.coco.metrics.evaluate`.
        analysis: of the same detections.
        results: the detections.
        images: how many images were evaluated.
        speed: images per second, decoding and suppression included.
        milliseconds: spent on each part of the work, an image.
        device: what computed at that speed.
    """
    write_results(layout.PREDICTIONS, results)
    write_json(layout.ANALYSIS, analysis.to_json())
    for path, header, rows in _tables(analysis):
        _write_csv(path, header, rows)
    metrics = {
        "bbox": {name: figures[name] for name in FIGURES},
        "images": images,
        "images_per_second": round(speed, 2),
        "milliseconds": {part: round(value, 3) for part, value in milliseconds.items()},
        "device": device,
        "threshold": analysis.threshold,
    }
    write_json(layout.EVALUATE_METRICS, metrics)
    return metrics


def _tables(analysis: Analysis) -> Iterable[tuple[Path, Sequence[str], Iterable[Row]]]:
    """Yields path, columns and rows of each table; what is undefined is an empty cell."""
    names = [one.name for one in analysis.classes]
    together = unlike("all", names)
    yield (
        layout.PER_CLASS,
        [field.name for field in fields(ClassAnalysis)],
        [asdict(one) for one in analysis.classes],
    )
    yield (
        layout.PR_CURVES,
        ["class", "recall", "precision"],
        [
            {"class": curve.name, "recall": recall, "precision": precision}
            for curve in analysis.pr_curves
            if curve.name is not None
            for recall, precision in zip(curve.recall, curve.precision, strict=True)
        ],
    )
    columns = ["score", "precision", "recall", "f1"]
    yield (
        layout.SCORE_CURVES,
        ["class", *columns],
        [
            {"class": together if curve.name is None else curve.name}
            | dict(zip(columns, point, strict=True))
            for curve in analysis.score_curves
            for point in zip(curve.score, curve.precision, curve.recall, curve.f1, strict=True)
        ],
    )
    sides = [*names, unlike("background", names)]
    yield (
        layout.CONFUSION,
        ["actual", "predicted"],
        [
            {"actual": actual, "predicted": predicted}
            for actual, row in zip(sides, analysis.confusion.counts, strict=True)
            for predicted, count in zip(sides, row, strict=True)
            for _ in range(count)
        ],
    )
    yield (
        layout.ERRORS,
        ["kind", "count", "AP50_cost"],
        [asdict(one) for one in analysis.errors],
    )
    yield (
        layout.CALIBRATION,
        ["from", "to", "detections", "mean_score", "precision"],
        analysis.to_json()["calibration"]["bins"],
    )


def unlike(word: str, names: Collection[str]) -> str:
    """Returns the word, in as many brackets as it takes to be none of the names."""
    while word in names:
        word = f"({word})"
    return word


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
