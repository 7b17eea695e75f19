"""The page that compares candidates: rows, charts and images in its template."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup

from ssdcore.evaluation.coco_figures import MEANINGS
from ssdcore.evaluation.table import Table
from ssdcore.report.charts import x_axis, y_axis
from ssdcore.report.comparison.candidate import Candidate
from ssdcore.report.comparison.differences import (
    COCO,
    FigureRow,
    figure_groups,
    parameter_rows,
    table_rows,
)
from ssdcore.report.comparison.images import ComparedImage
from ssdcore.report.comparison.reading import TABLES
from ssdcore.report.document import render_document
from ssdcore.report.plotting import COLOURS, figure, fragment, line, smoothed

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""The next one when the colours are used up."""


def render_comparison(
    candidates: Sequence[Candidate], images: Sequence[ComparedImage], remark: str = ""
) -> str:
    """Returns the comparison as one HTML document, the same text for the same content.

    Args:
        candidates: the revisions, all compared with the first.
        images: in the order to show.
        remark: why there are none.

    Raises:
        InputError: the page would be too large to open on a phone.
    """
    groups = figure_groups(candidates)
    coco = {row.label: row for row in groups.get(COCO, [])}
    return render_document(
        "compare",
        title=f"{len(candidates)} revisions compared",
        candidates=candidates,
        colours=[style(index)["color"] for index in range(len(candidates))],
        facts={key: [one.facts.get(key, "") for one in candidates] for key in _facts(candidates)},
        same_data=len({one.data for one in candidates}) == 1,
        parameters=parameter_rows(candidates),
        groups=groups,
        ap=coco.get("AP"),
        meanings=MEANINGS,
        tables=_tables(candidates),
        charts=_charts(candidates),
        images=images,
        remark=remark,
    )


def overlay(candidates: Sequence[Candidate], table: Table) -> go.Figure | None:
    """Draws the line of each candidate that has one; None where none does.

    A candidate has the same colour and dash in all charts.
    """
    assert table.chart
    curves = {n: o.curves[table.name] for n, o in enumerate(candidates) if table.name in o.curves}
    traces = [
        line(
            x,
            smoothed(y) if table.chart.smooth else y,
            candidates[index].name,
            line={**style(index), "width": 2},
        )
        for index, (x, y) in curves.items()
    ]
    if not traces:
        return None
    return figure(
        traces,
        hovermode="x unified",
        xaxis=x_axis(table.find(table.chart.x), table.chart),
        yaxis=y_axis(table.find(table.chart.y[0])),
        showlegend=True,
    )


def style(index: int) -> dict[str, Any]:
    """Returns the line of a candidate: first other colours, then other dashes."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "dash": DASHES[index // len(COLOURS) % len(DASHES)],
    }


def _facts(candidates: Sequence[Candidate]) -> list[str]:
    """Returns the facts that any candidate has, in their order."""
    keys = dict.fromkeys(key for one in candidates for key in one.facts)
    return [key for key in keys if any(one.facts.get(key) for one in candidates)]


def _tables(candidates: Sequence[Candidate]) -> list[tuple[Table, str, list[FigureRow]]]:
    """Returns the tables with bars that any candidate has, the heading of the values, the rows."""
    return [
        (table, table.find(table.chart.y[-1]).heading, rows)
        for _, table in TABLES
        if table.chart and (rows := table_rows(candidates, table))
    ]


def _charts(candidates: Sequence[Candidate]) -> list[tuple[str, Markup]]:
    """Returns title and chart of the tables with lines that any candidate has."""
    return [
        (table.title, fragment(drawn, f"{table.title}, a line a revision"))
        for _, table in TABLES
        if table.chart and (drawn := overlay(candidates, table))
    ]
