"""The charts' common look, and how a figure becomes a part of the page.

Colours of text and grid are not set here: document.css gives them, so that a chart follows
dark, light and print without being drawn again. The colours of data are legible on both grounds.
"""

import json
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from plotly.offline import get_plotlyjs

BLUE, ORANGE, GREEN, VIOLET, GREY = "#3d82c8", "#d4742a", "#2b9a6e", "#9068c9", "#838c96"

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
CONFIG = {"displayModeBar": False, "responsive": True, "typesetMath": False}


def figure(traces: Sequence[go.Scatter | go.Bar], **layout: Any) -> go.Figure:
    """Returns a figure in the page's look; `layout` adds to it and wins over it."""
    axis = {
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "ticklabelstandoff": 5,
        "automargin": True,
        "title": {"standoff": 10, "font": {"size": 12}},
    }
    look = go.Layout(
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
    return go.Figure(list(traces), look.update(layout))


def fragment(drawing: go.Figure, description: str, height_px: int = 320) -> Markup:
    """Returns a place for the chart and its data; the page's script draws the one into the other.

    The data stand in a JSON block that no browser runs, with `<`, `>`, `&` and `'` escaped, so
    that no text in them can end it.
    """
    data = htmlsafe_json_dumps({**json.loads(drawing.to_json()), "config": CONFIG})
    return Markup(
        '<div class="chart" role="img" aria-label="{}" style="height:{}px"></div>\n'
        '<script type="application/json">{}</script>'
    ).format(description, height_px, data)


def plotly_js() -> Markup:
    """Returns plotly.js (4.8 MB) for the page's one script element, from the installed package."""
    source = get_plotlyjs()
    if "</script" in source.lower() or "<!--" in source:
        raise ValueError("plotly.js holds text that would end or change its script element")
    return Markup(source)
