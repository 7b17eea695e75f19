"""The charts of classes and boxes: AP by class, objects by class, sizes of boxes."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import plotly.graph_objects as go

from ssdcore.evaluation.analysis import ClassAnalysis
from ssdcore.report.content import SplitSummary
from ssdcore.report.labels import chart_text
from ssdcore.report.plotting import BLUE, GREEN, GREY, ORANGE, VIOLET, figure

PALE_BLUE = "rgba(61, 130, 200, 0.35)"
SPLIT_COLOURS = (BLUE, ORANGE, GREEN, VIOLET)
SIZE_BINS = np.geomspace(0.01, 1, 33)  # √area as a fraction of the image's side; 1 % is 3 px of 300
SIZE_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
NAME_LENGTH, HOVER_LENGTH = 22, 80  # characters of a class's name beside and over the chart


def rows_height_px(rows: int) -> int:
    """Returns the height of a chart with `rows` horizontal rows, denser where there are many."""
    return 80 + rows * (26 if rows <= 20 else 17)


def ap_by_class(classes: Sequence[ClassAnalysis]) -> go.Figure:
    """Bars of AP in front of paler ones of AP50, the best class on top.

    Classes without ground truth (-1) have no bar; the caller leaves them out or names them.
    """
    ranked = sorted((one for one in classes if one.AP >= 0), key=lambda one: one.AP)
    hover = [
        f"{chart_text(one.name, HOVER_LENGTH)}<br>AP {one.AP:.3f} · AP50 {one.AP50:.3f}"
        f" · {one.objects:,} objects"
        for one in ranked
    ]
    rows = list(range(len(ranked)))
    look = {"orientation": "h", "y": rows, "hovertext": hover, "hoverinfo": "text"}
    pale = go.Bar(x=[one.AP50 for one in ranked], name="AP50", marker={"color": PALE_BLUE}, **look)
    strong = go.Bar(x=[one.AP for one in ranked], name="AP", marker={"color": BLUE}, **look)
    return figure(
        [pale, strong],
        barmode="overlay",
        bargap=0.25,
        xaxis={"range": [0, 1], "tickformat": ".1f", "side": "bottom", "fixedrange": True},
        yaxis=_names([one.name for one in ranked]),
        legend_traceorder="reversed",
    )


def objects_by_class(splits: Sequence[SplitSummary]) -> go.Figure:
    """Dots for the number of objects of each class in each split, the most frequent on top.

    The axis is logarithmic where the frequencies span more than two orders of magnitude; a
    class without objects has no dot there.
    """
    names = sorted(
        {name for split in splits for name in split.objects_by_class},
        key=lambda name: (*(split.objects_by_class.get(name, 0) for split in splits), name),
    )
    counts = [[split.objects_by_class.get(name, 0) for name in names] for split in splits]
    positive = [count for split in counts for count in split if count]
    logarithmic = bool(positive) and max(positive) > 100 * min(positive)
    traces = [
        go.Scatter(
            x=[count if count or not logarithmic else None for count in split_counts],
            y=list(range(len(names))),
            mode="markers",
            cliponaxis=False,
            name=chart_text(split.name, NAME_LENGTH),
            marker={"color": colour, "size": 9, "opacity": 0.9},
            hovertext=[
                f"{chart_text(name, HOVER_LENGTH)}<br>{count:,} objects in "
                f"{chart_text(split.name, NAME_LENGTH)}"
                for name, count in zip(names, split_counts, strict=True)
            ],
            hoverinfo="text",
        )
        for split, split_counts, colour in zip(splits, counts, cycle(SPLIT_COLOURS))
    ]
    across = {"type": "log", "dtick": 1} if logarithmic else {"rangemode": "tozero"}
    title = "objects, on a logarithmic axis" if logarithmic else "objects"
    return figure(
        traces,
        xaxis={"title": {"text": title}, "fixedrange": True, "tickformat": ",", **across},
        yaxis={**_names(names), "showgrid": True},
    )


def box_sizes(splits: Sequence[SplitSummary], default_box_scales: Sequence[float]) -> go.Figure:
    """Steps for the share of each split's boxes by size, and the default boxes' scales as lines.

    Sizes are √area as a share of the image's side, on a logarithmic axis; what is smaller
    than the first bin is counted in it.
    """
    shares = [_shares(split.box_sizes) for split in splits]
    traces = [
        go.Scatter(
            x=SIZE_BINS.tolist(),
            y=[*share, share[-1]],  # a step ends where the next one begins: repeat the last
            mode="lines",
            line={"shape": "hv", "color": colour, "width": 2},
            fill="none" if order else "tozeroy",  # two fills would mix to a third colour
            fillcolor=PALE_BLUE,
            name=chart_text(split.name, NAME_LENGTH),
            hovertemplate="%{y:.1%} of the boxes<br>from %{x:.1%} of the side",
        )
        for order, (split, share, colour) in enumerate(zip(splits, shares, cycle(SPLIT_COLOURS)))
    ]
    top = max((max(share) for share in shares), default=0.0) * 1.05 or 1.0
    marks = go.Scatter(
        x=[x for scale in default_box_scales for x in (scale, scale, None)],
        y=[y for _ in default_box_scales for y in (0.0, top, None)],
        mode="lines",
        line={"color": GREY, "width": 1.5, "dash": "dot"},
        name="default boxes",
        hovertemplate="default boxes of %{x:.1%}<extra></extra>",
    )
    return figure(
        [*traces, marks],
        xaxis={
            "type": "log",
            "title": {"text": "√area, share of the image's side"},
            "tickvals": list(SIZE_TICKS),
            "ticktext": [f"{100 * tick:g} %" for tick in SIZE_TICKS],
            "range": [-2, 0.02],
        },
        yaxis={
            "title": {"text": "share of the boxes"},
            "tickformat": ".0%",
            "range": [0, top],
            "fixedrange": True,
        },
    )


def _names(names: Sequence[str]) -> dict[str, object]:
    """Returns an axis with a row for each name; rows are numbers, so that equal names stay two."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": [chart_text(name, NAME_LENGTH) for name in names],
        "range": [-0.6, len(names) - 0.4],
        "showgrid": False,
        "fixedrange": True,
    }


def _shares(sizes: Sequence[float]) -> list[float]:
    """Returns the share of `sizes` in each of `SIZE_BINS`, zeros if there are none."""
    inside = np.clip(np.asarray(sizes, np.float64), SIZE_BINS[0], SIZE_BINS[-1])
    counts = np.histogram(inside, SIZE_BINS)[0]
    shares: list[float] = (counts / max(1, len(inside))).round(5).tolist()
    return shares
