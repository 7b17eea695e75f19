"""Draws a table as a chart for the page, by the table's own description."""

from collections import Counter
from itertools import cycle, repeat
from typing import Any

import numpy as np
import plotly.graph_objects as go
from markupsafe import Markup

from ssdcore.evaluation.named_table import Chart, Column, Table
from ssdcore.report import words
from ssdcore.report.labels import chart_text
from ssdcore.report.plotting import BLUE, COLOURS, GREY, ORANGE, figure, fragment, line, smoothed

PALE_BLUE = "rgba(61, 130, 200, 0.35)"
MAX_NUMBERED = 12
"""Classes up to which the cells of a heatmap show their counts."""
BAR_WIDTHS = (0.8, 0.52, 0.24)
"""Widths of the overlapping bars of a row."""
MAX_NAMED = 40
"""Classes up to which the axes of a heatmap name each one."""
NAME_LENGTH, HOVER_LENGTH = 26, 80
"""Characters of a row's name beside the chart and when hovering."""


def draw(table: Table) -> go.Figure | None:
    """Returns the chart of a table; None for one without a chart or anything to draw."""
    if not (table.chart and table.chart.y and table.rows):
        return None
    drawing: go.Figure = {
        "lines": _lines, "bars": _bars, "ranking": _bars, "heatmap": _heatmap,
    }[table.chart.kind](table, table.chart)  # fmt: skip
    return drawing if any(map(_has_data, drawing.data)) else None


def chart(table: Table) -> Markup | None:
    """Returns the chart of a table as a part of the page; None as `draw`."""
    drawing = draw(table)
    return None if drawing is None else fragment(drawing, table.title, _height_px(table))


def _lines(table: Table, chart: Chart) -> go.Figure:
    x, y = table.find(chart.x), table.find(chart.y[0])
    traces = _lines_by_group(table, chart) if chart.by else _lines_by_column(table, chart)
    if chart.diagonal:
        ideal = {"color": GREY, "width": 1.5, "dash": "dot"}
        traces.append(line([0, 1], [0, 1], "ideal", line=ideal, hoverinfo="skip"))
    drawing = figure(
        traces,
        hovermode="closest" if chart.by else "x unified",
        showlegend=not chart.by and sum(t.showlegend is not False for t in traces) > 1,
        xaxis=x_axis(x, chart),
        yaxis=y_axis(y) | ({} if len(chart.y) == 1 else {"title": None}),
    )
    if chart.smooth and traces:  # a few outliers must not flatten the rest
        heights = [value for t in traces if t.showlegend for value in t.y if value is not None]
        drawing.update_yaxes(range=[0, 1.15 * max(heights, default=1.0)])
    for mark in chart.marks:
        drawing.add_vline(x=mark, line={"color": GREY, "width": 1.5, "dash": "dot"})
    return drawing


def x_axis(column: Column, chart: Chart) -> dict[str, Any]:
    """Returns the x axis of a chart of lines."""
    axis: dict[str, Any] = {"title": {"text": column.heading}, "showgrid": False}
    if column.format == "score":
        axis |= {"range": [0, 1], "tickformat": ".1f"}
    if column.format == "share":
        axis |= {"tickformat": ".0%"}
    if chart.log_x:
        ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
        axis |= {"type": "log", "tickvals": ticks, "range": [-2, 0.02]}
    return axis


def y_axis(column: Column) -> dict[str, Any]:
    """Returns the y axis of a chart of lines or bars, from zero."""
    tickformat = {"share": ".0%", "count": ","}.get(column.format, ".3~g")
    title = {"text": column.heading}
    return {"title": title, "rangemode": "tozero", "tickformat": tickformat, "fixedrange": True}


def _lines_by_group(table: Table, chart: Chart) -> list[Any]:
    """Returns a thin line for each group and a thick one for the main group, on top.

    The `meta` of a trace is the index of its group, -1 for the main one.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in table.records():
        groups.setdefault(row[chart.by], []).append(row)
    main = groups.pop(chart.main, None)
    if main and len(groups) == 1:
        groups = {}  # its line would hide behind the main one
    faint = 0.5 if len(groups) <= MAX_NUMBERED else 0.2
    shown = [*enumerate(groups.items()), *([(-1, (f"{chart.main} classes", main))] if main else [])]
    x, y = table.find(chart.x).heading, table.find(chart.y[0]).heading
    return [
        line(
            [row[chart.x] for row in rows],
            [row[chart.y[0]] for row in rows],
            name,
            meta=index,
            line={"color": BLUE if index < 0 else GREY, "width": 3 if index < 0 else 1.2},
            opacity=1 if index < 0 else faint,
            hovertemplate=f"{chart_text(name, HOVER_LENGTH)}<br>{x} %{{x:.2f}} · {y} %{{y:.3f}}"
            "<extra></extra>",
        )
        for index, (name, rows) in shown
    ]


def _lines_by_column(table: Table, chart: Chart) -> list[Any]:
    """Returns a line for each column; of a smoothed one also the raw line, thin."""
    x = table.values(chart.x)
    raw, strong = [], []
    for column, colour in zip(chart.y, cycle(COLOURS)):
        values, name = table.values(column), table.find(column).heading
        look: dict[str, Any] = {"legendgroup": column}
        shape = "hv" if chart.steps else "linear"
        if chart.smooth:
            thin = {"color": colour, "width": 1}
            hidden = {"showlegend": False, "hoverinfo": "skip", "hovertemplate": None}
            raw.append(line(x, values, name, line=thin, opacity=0.4, **hidden, **look))
            values = smoothed(values)
        thick = {"color": colour, "width": 2.5, "shape": shape}
        look["mode"] = "lines" if len(x) > 30 else "lines+markers"
        strong.append(line(x, values, name, line=thick, showlegend=True, **look))
    return [*raw, *strong]


def _bars(table: Table, chart: Chart) -> go.Figure:
    """Draws a bar a row, the last column of y in front of the others.

    A ranking has horizontal bars, the highest on top, and counts of a wide range on a logarithmic
    axis. Its rows are numbers on the axis of names, so that rows of equal names stay apart.
    """
    ranking = chart.kind == "ranking"
    rows = [row for row in table.records() if words.defined(row[chart.y[-1]])]
    if ranking:
        rows.sort(key=lambda row: tuple(row[column] for column in reversed(chart.y)))
    last = table.find(chart.y[-1])
    counts = [row[column] for row in rows for column in chart.y if row[column]]
    wide = ranking and last.format == "count" and bool(counts) and max(counts) > 100 * min(counts)
    names = [_name(table, row[chart.x], NAME_LENGTH if ranking else HOVER_LENGTH) for row in rows]
    told = [
        column
        for column in table.columns
        if column.name in chart.y or (column.format == "count" and column.listed)
    ]
    hover = [
        f"{_name(table, row[chart.x])}<br>"
        + " · ".join(f"{c.heading} {words.cell(c, row[c.name])}" for c in told)
        for row in rows
    ]
    colours = (BLUE,) if len(chart.y) == 1 else (PALE_BLUE, BLUE, ORANGE)
    widths = BAR_WIDTHS if len(chart.y) == len(BAR_WIDTHS) else repeat(None)
    places = list(range(len(rows)))
    traces = []
    for column, colour, width in zip(chart.y, colours, widths, strict=False):
        values = [row[column] if words.defined(row[column]) else None for row in rows]
        if wide:
            values = [value or None for value in values]
        across, along = (values, places) if ranking else (names, values)
        traces.append(
            go.Bar(
                x=across,
                y=along,
                orientation="h" if ranking else None,
                name=table.find(column).heading,
                marker={"color": colour},
                width=width,
                hovertext=hover,
                hoverinfo="text",
            )
        )
    named: dict[str, Any] = {"showgrid": False, "fixedrange": True}
    measured = y_axis(last) | ({"type": "log", "dtick": 1} if wide else {})
    if ranking:
        named |= {"tickvals": places, "ticktext": names, "range": [-0.6, len(rows) - 0.4]}
    else:
        named |= {"type": "category"}
    if len(traces) > 1 or not ranking:
        measured["title"] = {"text": "on a logarithmic axis"} if wide else None
    return figure(
        traces,
        barmode="overlay",
        bargap=0.25,
        xaxis=measured if ranking else named,
        yaxis=named if ranking else measured,
        legend_traceorder="reversed",
        showlegend=len(traces) > 1,
    )


def _heatmap(table: Table, chart: Chart) -> go.Figure:
    """Counts the rows by y (down) and x (across); colours are shares of each y.

    The diagonal is blue, all else orange.
    """
    sides = chart.order
    count_of = Counter(zip(table.values(chart.y[0]), table.values(chart.x), strict=True))
    counts = np.array([[count_of[down, across] for across in sides] for down in sides], np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [chart_text(name, HOVER_LENGTH) for name in sides]
    hover = [
        [
            f"{down} as {across}: {words.count(counts[i, j])} ({words.percent(shares[i, j])})"
            for j, across in enumerate(names)
        ]
        for i, down in enumerate(names)
    ]
    text = [[f"{value:.0f}" if value else "" for value in row] for row in counts]
    numbers = {"text": text, "texttemplate": "%{text}"} if len(sides) <= MAX_NUMBERED + 1 else {}
    diagonal = np.eye(len(sides), dtype=bool)
    maps = [
        go.Heatmap(
            z=np.where(kept & (counts > 0), shares, np.nan).round(4).tolist(),
            zmin=0,
            zmax=1,
            colorscale=[[0, _faded(colour, 0.12)], [1, _faded(colour, 1)]],
            showscale=False,
            xgap=1,
            ygap=1,
            hovertext=hover,
            hoverinfo="text",
            hoverongaps=False,
            **numbers,
        )
        for kept, colour in ((diagonal, BLUE), (~diagonal, ORANGE))
    ]
    ticks: dict[str, Any] = {"showgrid": False, "showticklabels": len(sides) <= MAX_NAMED + 1}
    if ticks["showticklabels"]:
        shown = [chart_text(name, NAME_LENGTH) for name in sides]
        ticks |= {"tickvals": list(range(len(sides))), "ticktext": shown}
    across, down = table.find(chart.x).heading, table.find(chart.y[0]).heading
    return figure(
        maps,
        xaxis={"title": {"text": across}, "tickangle": -45, **ticks},
        yaxis={"title": {"text": down}, "autorange": "reversed", **ticks},
    )


def _height_px(table: Table) -> int:
    """Returns the height of a table's chart, denser where there are many rows."""
    rows = len(table.rows)
    if table.chart and table.chart.kind == "ranking":
        return 80 + rows * (26 if rows <= 20 else 17)
    if table.chart and table.chart.kind == "heatmap":
        return min(760, 200 + 36 * len(table.chart.order))
    return 320


def _has_data(trace: Any) -> bool:
    if trace.type == "heatmap":
        return bool(np.isfinite(np.array(trace.z, np.float64)).any())
    values = trace.x if trace.type == "bar" and trace.orientation == "h" else trace.y
    return trace.name != "ideal" and any(value is not None for value in values)


def _name(table: Table, value: Any, length: int = HOVER_LENGTH) -> str:
    assert table.chart
    return chart_text(words.cell(table.find(table.chart.x), value), length)


def _faded(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
