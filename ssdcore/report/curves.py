"""The charts of a training run, over its steps."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from ssdcore.report.content import History
from ssdcore.report.plotting import BLUE, GREEN, ORANGE, VIOLET, figure

MOST_POINTS = 1500  # of a curve in the page; more than a screen has pixels to show


def loss(history: History) -> go.Figure:
    """The loss and its two parts: as logged in thin lines, smoothed in thick ones."""
    parts = (
        ("loss", history.loss, BLUE),
        ("class part", history.loss_class, ORANGE),
        ("box part", history.loss_box, GREEN),
    )
    raw = [_line(history, values, name, colour, raw=True) for name, values, colour in parts]
    smooth = [_line(history, smoothed(values), name, colour) for name, values, colour in parts]
    highest = max((float(np.nanmax(smoothed(values))) for _, values, _ in parts), default=1.0)
    return _figure(history, [*raw, *smooth], {"range": [0, 1.15 * highest]})


def validation(history: History) -> go.Figure:
    """AP and AP50 on the validation set, at the steps where they were measured."""
    curves = (("AP50", history.val_ap50, ORANGE), ("AP", history.val_ap, BLUE))
    traces = []
    for name, values, colour in curves:
        measured = [
            (step, value)
            for step, value in zip(history.step, values, strict=True)
            if value is not None
        ]
        traces.append(
            go.Scatter(
                x=[step for step, _ in measured],
                y=[value for _, value in measured],
                mode="lines+markers",
                name=name,
                line={"color": colour, "width": 2},
                cliponaxis=False,
                hovertemplate="%{y:.3f}",
            )
        )
    return _figure(history, traces, {"rangemode": "tozero", "tickformat": ".2~f"})


def learning_rate(history: History) -> go.Figure:
    """The learning rate at each logged step."""
    trace = _line(history, history.lr, "learning rate", VIOLET)
    look = {"rangemode": "tozero", "exponentformat": "power", "nticks": 5}
    return _figure(history, [trace], look)


def speed(history: History) -> go.Figure:
    """Images a second in training, as logged and smoothed."""
    values = history.images_per_second
    raw = _line(history, values, "images/s", GREEN, raw=True)
    smooth = _line(history, smoothed(values), "images/s", GREEN)
    return _figure(history, [raw, smooth], {"rangemode": "tozero", "nticks": 5})


def smoothed(values: Sequence[float]) -> list[float]:
    """Returns the mean over a centred window of a fortieth of the curve, NaN left out."""
    curve = np.asarray(values, np.float64)
    reach = len(curve) // 80
    total = np.concatenate([[0.0], np.nancumsum(curve)])
    count = np.concatenate([[0], np.cumsum(~np.isnan(curve))])
    place = np.arange(len(curve))
    first, last = np.maximum(place - reach, 0), np.minimum(place + reach + 1, len(curve))
    means: list[float] = (
        (total[last] - total[first]) / np.maximum(count[last] - count[first], 1)
    ).tolist()
    return means


def thinned(count: int) -> list[int]:
    """Returns at most `MOST_POINTS` places of a curve of `count` points, first and last kept."""
    places = np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int)
    kept: list[int] = np.unique(places).tolist()
    return kept


def _line(
    history: History, values: Sequence[float], name: str, colour: str, *, raw: bool = False
) -> go.Scatter:
    """Returns the curve over the steps with at most `MOST_POINTS` points."""
    kept = thinned(len(history.step))
    return go.Scatter(
        x=[history.step[i] for i in kept],
        y=[float(f"{values[i]:.5g}") for i in kept],  # digits that no screen shows only weigh
        mode="lines",
        name=name,
        legendgroup=name,
        showlegend=not raw,
        line={"color": colour, "width": 1 if raw else 2.5},
        opacity=0.4 if raw else 1,
        **({"hoverinfo": "skip"} if raw else {"hovertemplate": "%{y:.4g}"}),
    )


def _figure(history: History, traces: list[go.Scatter], yaxis: dict[str, object]) -> go.Figure:
    span = [history.step[0], history.step[-1]] if len(history.step) > 1 else None
    return figure(
        traces,
        hovermode="x unified",
        xaxis={
            "title": {"text": "step"},
            "range": span,
            "showgrid": False,
            "unifiedhovertitle": {"text": "step %{x:,}"},
        },
        yaxis={"fixedrange": True, **yaxis},
        showlegend=sum(trace.showlegend is not False for trace in traces) > 1,
    )
