"""The curves of all candidates on one axis."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from ssdcore.report.comparison.candidate import Candidate, Curve
from ssdcore.report.curves import smoothed, thinned
from ssdcore.report.labels import chart_text
from ssdcore.report.plotting import BLUE, GREEN, GREY, ORANGE, VIOLET, figure

COLOURS = (BLUE, ORANGE, GREEN, VIOLET, GREY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""A next one when the colours are used up."""
NAME_LENGTH = 40
FROM_ZERO = {"rangemode": "tozero"}
SHARE = {"range": [0, 1.02], "tickformat": ".1f"}


class Axes(NamedTuple):
    """What a chart's axes say, and how they are scaled."""

    x: str
    y: str
    look_x: dict[str, Any]
    look_y: dict[str, Any]
    markers: bool = False


OVERLAYS = {
    "loss": Axes("step", "loss, smoothed", FROM_ZERO, FROM_ZERO),
    "val_AP": Axes("step", "AP", FROM_ZERO, {**FROM_ZERO, "tickformat": ".2~f"}, markers=True),
    "precision": Axes("recall", "precision", SHARE, SHARE),
    "f1": Axes("score threshold", "F1", SHARE, SHARE),
}
"""By the name of the curve."""


def overlay(candidates: Sequence[Candidate], key: str) -> go.Figure | None:
    """Draws one curve of each candidate that has it; None where none does.

    A candidate has the same colour and dash in all charts.
    """
    axes = OVERLAYS[key]
    traces = [
        _line(one.curves[key], one.name, place, axes, smooth=key == "loss")
        for place, one in enumerate(candidates)
        if key in one.curves
    ]
    if not traces:
        return None
    return figure(
        traces,
        hovermode="x unified",
        xaxis={"title": {"text": axes.x}, "showgrid": False, **axes.look_x},
        yaxis={"title": {"text": axes.y}, "fixedrange": True, **axes.look_y},
        showlegend=True,
    )


def style(place: int) -> dict[str, Any]:
    """Returns the line of the candidate at a place: colours first, then dashes."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "dash": DASHES[place // len(COLOURS) % len(DASHES)],
    }


def _line(curve: Curve, name: str, place: int, axes: Axes, *, smooth: bool) -> go.Scatter:
    values = smoothed(curve.y) if smooth else curve.y
    kept = thinned(len(curve.x))
    return go.Scatter(
        x=[curve.x[i] for i in kept],
        y=[float(f"{values[i]:.5g}") for i in kept],
        mode="lines+markers" if axes.markers else "lines",
        name=chart_text(name, NAME_LENGTH),
        line={**style(place), "width": 2},
        cliponaxis=False,
        hovertemplate="%{y:.4g}",
    )
