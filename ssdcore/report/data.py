"""The page's figures as data, for other programs: report/report.json."""

from typing import Any

from ssdcore.report.content import ReportContent
from ssdcore.report.labels import one_line
from ssdcore.report.verdict import verdict


def as_data(content: ReportContent) -> dict[str, Any]:
    """Returns the page's content in plain JSON types, without images and long curves."""
    return {
        "title": content.title,
        "verdict": {
            part: [one_line(sentence) for sentence in sentences]
            for part, sentences in verdict(content)._asdict().items()
        },
        "metrics": content.metrics,
        "tables": {table.name: table.records() for table in content.listed},
        "params": content.params,
        "environment": content.environment,
        "commands": list(content.commands),
    }
