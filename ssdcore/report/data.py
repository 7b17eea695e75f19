"""The page's figures as data, for other programs: report/report.json."""

from dataclasses import asdict
from typing import Any

from ssdcore.report.content import ReportContent, SplitSummary
from ssdcore.report.labels import one_line
from ssdcore.report.verdict import verdict


def as_data(content: ReportContent) -> dict[str, Any]:
    """Returns what the page says, in plain JSON types; images and long curves are left out."""
    said = verdict(content.metrics, content.analysis, content.history, content.splits)
    analysis = content.analysis.to_json()
    del analysis["score_curves"], analysis["pr_curves"]
    return {
        "title": content.title,
        "verdict": {
            part: [one_line(sentence) for sentence in sentences]
            for part, sentences in said._asdict().items()
        },
        "metrics": content.metrics,
        "analysis": analysis,
        "training": _training(content),
        "data": {split.name: _split(split) for split in content.splits},
        "params": content.params,
        "environment": content.environment,
        "commands": list(content.commands),
    }


def _training(content: ReportContent) -> dict[str, Any]:
    history = content.history
    measured = [value for value in history.val_ap if value is not None]
    return {
        "steps": history.step[-1] if history.step else 0,
        "epochs": history.epoch[-1] if history.epoch else 0.0,
        "loss": history.loss[-1] if history.loss else None,
        "best_val_AP": max(measured, default=None),
        "last_val_AP": measured[-1] if measured else None,
    }


def _split(split: SplitSummary) -> dict[str, Any]:
    """Returns the split's counts; the sizes of all its boxes are the data set's own."""
    row = asdict(split)
    del row["name"], row["box_sizes"]
    return row
