"""The style of all charts, lines, and the element of a chart in the page.

Colours of text and grid are not set here: document.css sets them, so that a chart follows dark,
light and print without being drawn again. The colours of data are legible on both backgrounds.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from ssdcore.report.labels import chart_text
from ssdcore.report.words import defined

BLUE, ORANGE, GREEN, VIOLET, GREY = "#3d82c8", "#d4742a", "#2b9a6e", "#9068c9", "#838c96"
COLOURS = (BLUE, ORANGE, GREEN, VIOLET, GREY)
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
CONFIG = {"displayModeBar": False, "responsive": True, "typesetMath": False}
MAX_POINTS = 1500
"""Maximum points of a line; more than a screen has pixels."""
NAME_LENGTH = 80
"""Maximum characters in a line's name."""


def figure(traces: Sequence[Any], **layout: Any) -> go.Figure:
    """Returns a figure in the page's style; `layout` overrides it."""
    axis = {
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "ticklabelstandoff": 5,
        "automargin": True,
        "title": {"standoff": 10, "font": {"size": 12}},
    }
    style = go.Layout(
        template="none",
        font={"family": FONT, "size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        xaxis=axis,
        yaxis=axis,
        legend={"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"},
        hoverlabel={
            "bgcolor": "#20252b",
            "bordercolor": "#20252b",
            "font": {"color": "#f2f4f6", "family": FONT},
        },
    )
    return go.Figure(list(traces), style.update(layout))


def fragment(drawing: go.Figure, description: str, height_px: int = 320) -> Markup:
    """Returns an empty box for the chart and its data, which the page's script draws into it.

    The data stand in a JSON block that no browser runs, with `<`, `>`, `&` and `'` escaped, so
    that no text in them can end it.
    """
    data = htmlsafe_json_dumps({**json.loads(drawing.to_json()), "config": CONFIG})
    return Markup(
        '<div class="chart" role="img" aria-label="{}" style="height:{}px"></div>\n'
        '<script type="application/json">{}</script>'
    ).format(description, height_px, data)


def line(x: Sequence[float], y: Sequence[float | None], name: str, **style: Any) -> go.Scatter:
    """Returns a line of at most `MAX_POINTS` points, the ends kept, with gaps for undefined y.

    None, negative and non-finite values are undefined. `style` overrides settings of the trace.
    """
    spread = np.linspace(0, len(x) - 1, min(len(x), MAX_POINTS)).round().astype(int)
    kept: list[int] = np.unique(spread).tolist()
    single = sum(defined(value) for value in y) == 1
    settings = {
        "mode": "lines+markers" if single else "lines",
        "name": chart_text(name, NAME_LENGTH),
        "hovertemplate": "%{y:.4g}",
        "cliponaxis": False,
    }
    return go.Scatter(
        x=[x[i] for i in kept],
        y=[float(f"{value:.5g}") if defined(value) else None for value in (y[i] for i in kept)],
        **{**settings, **style},
    )


def smoothed(values: Sequence[float | None]) -> list[float]:
    """Returns the mean over a centred window of a fortieth of the line, without missing values.

    None, NaN and infinite values are missing. It is NaN where the window holds nothing else.
    """
    curve = np.asarray(values, np.float64)
    present = np.isfinite(curve)
    reach = len(curve) // 80
    total = np.concatenate([[0.0], np.cumsum(np.where(present, curve, 0))])
    count = np.concatenate([[0], np.cumsum(present)])
    middle = np.arange(len(curve))
    first, last = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, len(curve))
    size = count[last] - count[first]
    means = (total[last] - total[first]) / np.maximum(size, 1)
    return np.where(size, means, np.nan).tolist()
