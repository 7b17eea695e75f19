"""The charts of how the detector was judged: curves, calibration, errors, confusion, sizes."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ssdcore.evaluation.analysis import Analysis, Calibration, Confusion, SizeRange
from ssdcore.report import words
from ssdcore.report.charts import HOVER_LENGTH, NAME_LENGTH, PALE_BLUE
from ssdcore.report.labels import chart_text
from ssdcore.report.plotting import BLUE, GREY, ORANGE, figure

ALL = "all classes"
SHARE = {"range": [0, 1.02], "tickformat": ".1f", "fixedrange": True}
MOST_NUMBERS = 12  # classes up to which the cells of the confusion matrix hold their numbers
MOST_NAMED = 40  # classes up to which its axes name each one


def precision_over_recall(analysis: Analysis) -> go.Figure:
    """A thin line for each class and a thick one for their mean, at IoU 0.5."""
    curves = [(curve.name, curve.recall, curve.precision) for curve in analysis.pr_curves]
    return _by_class(curves, "recall", "precision")


def f1_over_score(analysis: Analysis) -> go.Figure:
    """A thin line for each class and a thick one for all, and where the latter is highest."""
    curves = [(curve.name, curve.score, curve.f1) for curve in analysis.score_curves]
    drawing = _by_class(curves, "score threshold", "F1")
    drawing.add_vline(x=analysis.threshold, line={"color": GREY, "width": 1.5, "dash": "dot"})
    return drawing


def calibration(measured: Calibration) -> go.Figure:
    """The share of correct detections over their scores; on the diagonal, scores can be trusted."""
    bins = [one for one in measured.bins if one.detections and one.precision is not None]
    bars = go.Bar(
        x=[(one.low + one.high) / 2 for one in bins],
        y=[one.precision for one in bins],
        width=[0.9 * (one.high - one.low) for one in bins],
        marker={"color": BLUE},
        name="correct",
        hovertext=[
            f"{one.detections:,} detections with scores from {one.low:.1f} to {one.high:.1f}<br>"
            f"mean score {words.score(one.mean_score)} · correct {words.percent(one.precision)}"
            for one in bins
        ],
        hoverinfo="text",
    )
    ideal = go.Scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="ideal", hoverinfo="skip",
        line={"color": GREY, "width": 1.5, "dash": "dot"},
    )  # fmt: skip
    return figure(
        [bars, ideal],
        xaxis={"title": {"text": "score"}, "showgrid": False, **SHARE, "range": [0, 1]},
        yaxis={"title": {"text": "share correct"}, **SHARE},
    )


def error_costs(analysis: Analysis) -> go.Figure:
    """Bars of what each kind of error costs in AP50, the dearest on top."""
    ranked = sorted(analysis.errors, key=lambda one: one.AP50_cost)
    bars = go.Bar(
        x=[one.AP50_cost for one in ranked],
        y=[words.KIND_NAMES[one.kind] for one in ranked],
        orientation="h",
        marker={"color": ORANGE},
        text=[f"{one.AP50_cost:.3f}" for one in ranked],
        textposition="outside",
        cliponaxis=False,
        hovertext=[f"{words.KIND_MEANINGS[one.kind]}<br>{one.count:,} times" for one in ranked],
        hoverinfo="text",
    )
    highest = max((one.AP50_cost for one in ranked), default=0.0)
    return figure(
        [bars],
        bargap=0.3,
        xaxis={
            "title": {"text": "AP50 gained without such errors"},
            "range": [0, 1.15 * highest or 1.0],
            "fixedrange": True,
        },
        yaxis={"showgrid": False, "fixedrange": True},
    )


def confusion(matrix: Confusion) -> go.Figure:
    """What objects are (rows) against what the detector said (columns), as shares of each row.

    Blue is right and orange is wrong. The last row is what was invented, the last column what
    was missed.
    """
    counts = np.asarray(matrix.counts, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [chart_text(name, HOVER_LENGTH) for name in matrix.names] + [None]
    diagonal = np.eye(len(names), dtype=bool)
    maps = [
        go.Heatmap(
            z=np.where(kept, shares, np.nan).round(4).tolist(),
            zmin=0,
            zmax=1,
            colorscale=[[0, _faded(colour, 0.12)], [1, _faded(colour, 1)]],
            showscale=False,
            xgap=1,
            ygap=1,
            hovertext=[
                [
                    _cell(names[row], names[column], counts[row, column], shares[row, column])
                    if kept[row, column]
                    else None
                    for column in range(len(names))
                ]
                for row in range(len(names))
            ],
            hoverinfo="text",
            hoverongaps=False,
            **_numbers(counts),
        )
        for kept, colour in (
            (diagonal & (counts > 0), BLUE),
            (~diagonal & (counts > 0), ORANGE),
        )
    ]
    across = {"title": {"text": "what the detector said"}, "tickangle": -45}
    down = {"title": {"text": "what it is"}, "autorange": "reversed"}
    return figure(
        maps,
        xaxis={**across, **_ticks(matrix.names, "missed")},
        yaxis={**down, **_ticks(matrix.names, "invented")},
    )


def figures_by_size(bins: Sequence[SizeRange], labels: Sequence[str]) -> go.Figure:
    """Bars of AP in front of AP50, by size of the object; sizes without objects are left out."""
    kept = [(one, label) for one, label in zip(bins, labels, strict=True) if one.objects]
    look = {
        "x": [label for _, label in kept],
        "hovertext": [
            f"{one.objects:,} objects of {label}<br>AP {words.score(one.AP)} · "
            f"AP50 {words.score(one.AP50)} · recall {words.score(one.recall)}"
            for one, label in kept
        ],
        "hoverinfo": "text",
    }
    pale = go.Bar(y=[one.AP50 for one, _ in kept], name="AP50", marker={"color": PALE_BLUE}, **look)
    strong = go.Bar(y=[one.AP for one, _ in kept], name="AP", marker={"color": BLUE}, **look)
    return figure(
        [pale, strong],
        barmode="overlay",
        bargap=0.25,
        xaxis={"showgrid": False, "fixedrange": True, "type": "category"},
        yaxis=SHARE,
        legend_traceorder="reversed",
    )


def _by_class(
    curves: Sequence[tuple[str | None, Sequence[float], Sequence[float | None]]], x: str, y: str
) -> go.Figure:
    """Returns a line for each class, by which its trace is found again, and one for all of them.

    A trace's `meta` is the class's place among the classes, -1 for all.
    """
    classes = [curve for curve in curves if curve[0] is not None]
    overall = [curve for curve in curves if curve[0] is None]
    few = len(classes) == 1
    faint = 0.5 if len(classes) <= MOST_NUMBERS else 0.2
    traces = []
    for place, (name, across, up) in [*enumerate(classes), *((-1, curve) for curve in overall)]:
        if place >= 0 and few:
            continue  # it would hide behind the line of all
        label = ALL if name is None else chart_text(name, HOVER_LENGTH)
        traces.append(
            go.Scatter(
                x0=across[0] if len(across) else 0,
                dx=round((across[-1] - across[0]) / max(1, len(across) - 1), 6) if across else 0.01,
                y=[None if value is None or value < 0 else round(value, 3) for value in up],
                mode="lines",
                meta=place,
                name=label,
                line={"color": BLUE if place < 0 else GREY, "width": 3 if place < 0 else 1.2},
                opacity=1 if place < 0 else faint,
                hovertemplate=f"{label}<br>{x} %{{x:.2f}} · {y} %{{y:.3f}}<extra></extra>",
            )
        )
    return figure(
        traces,
        showlegend=False,
        hovermode="closest",
        xaxis={"title": {"text": x}, **SHARE, "range": [0, 1]},
        yaxis={"title": {"text": y}, **SHARE},
    )


def _ticks(names: Sequence[str], last: str) -> dict[str, object]:
    """Returns an axis that names each class, or none where they are too many to be read."""
    if len(names) > MOST_NAMED:
        return {"showticklabels": False, "showgrid": False}
    shown = [chart_text(name, NAME_LENGTH) for name in names] + [last]
    return {"tickvals": list(range(len(shown))), "ticktext": shown, "showgrid": False}


def _cell(actual: str | None, said: str | None, count: float, share: float) -> str:
    part = f"{count:,.0f} ({words.percent(share)})"
    if said is None:
        return f"{actual}: missed {part}"
    if actual is None:
        return f"nothing there, called {said}: {part}"
    return f"{actual}: called {said} {part}"


def _numbers(counts: NDArray[np.float64]) -> dict[str, object]:
    """Returns what writes the counts into their cells, where there is room."""
    if len(counts) > MOST_NUMBERS + 1:
        return {}
    text = [[f"{value:.0f}" if value else "" for value in row] for row in counts]
    return {"text": text, "texttemplate": "%{text}"}


def _faded(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
