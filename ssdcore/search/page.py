"""The page of a search, and its table for the terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup

from ssdcore.core.nested import leaves
from ssdcore.evaluation.named_table import Chart, Column, Table
from ssdcore.report.charts import chart
from ssdcore.report.document import render_document
from ssdcore.report.labels import chart_text
from ssdcore.report.plotting import BLUE, GREY, figure, fragment
from ssdcore.report.words import setting
from ssdcore.search.space import Space
from ssdcore.search.study import Trial, best

CHART_PX = 280


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Returns the trials, the highest AP first; those without an AP last."""
    return sorted(trials, key=lambda one: -1.0 if one.ap is None else one.ap, reverse=True)


def table(trials: Sequence[Trial], keys: Sequence[str]) -> Iterator[str]:
    """Yields a header and a line for each trial, with the values of some parameters."""
    names = max(len(name) for name in ("trial", *(one.name for one in trials)))
    yield f"{'AP':>6}  {'trial':{names}}  " + "  ".join(keys)
    for one in trials:
        ap = f"{one.ap:.4f}" if one.ap is not None else one.state
        cells = (f"{setting(one.changes[key]):>{len(key)}}" for key in keys)
        yield f"{ap:>6}  {one.name:{names}}  " + "  ".join(cells)


def render_search(space: Space, trials: Sequence[Trial], importance: Mapping[str, float]) -> str:
    """Returns the search as one HTML document.

    The trials are in the order of their numbers, the importances the highest first.
    """
    return render_document(
        "search",
        title=f"Search {space.study}",
        best=best(trials),
        states=Counter(one.state for one in trials),
        history=_history(trials),
        importance=_importance(importance),
        scatter={key: _scatter(trials, key) for key in space.params if best(trials)},
        keys=list(space.params),
        trials=[vars(one) | {"remark": _remark(one)} for one in ranked(trials)],
        rules={key: setting(value) for key, value in leaves(space.model_dump(exclude_none=True))},
    )


def _remark(one: Trial) -> str:
    if one.state == "pruned" and one.measured:
        epoch = max(one.measured)
        return f"AP {one.measured[epoch]:.3f} after epoch {epoch}"
    return one.reason


def _history(trials: Sequence[Trial]) -> Markup | None:
    ended = [one for one in trials if one.ap is not None]
    if not ended:
        return None
    highest = [*accumulate((one.ap or 0.0 for one in ended), max)]
    x = [one.number for one in ended]
    so_far = go.Scatter(
        x=x, y=highest, mode="lines", name="best so far",
        line={"color": GREY, "width": 2, "shape": "hv"}, hoverinfo="skip",
    )  # fmt: skip
    drawing = figure(
        [so_far, _points(x, ended)],
        showlegend=False,
        xaxis={"title": {"text": "trial"}, "showgrid": False},
        yaxis={"title": {"text": "AP"}, "rangemode": "tozero"},
    )
    return fragment(drawing, "AP of each trial, and the best so far", CHART_PX)


def _scatter(trials: Sequence[Trial], key: str) -> Markup:
    ended = [one for one in trials if one.ap is not None]
    values = [one.changes[key] for one in ended]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    x = values if numbers else [chart_text(setting(value), 40) for value in values]
    is_wide = numbers and min(values) > 0 and max(values) > 10 * min(values)
    drawing = figure(
        [_points(x, ended)],
        xaxis={
            "showgrid": False,
            "type": "log" if is_wide else "linear" if numbers else "category",
        },
        yaxis={"title": {"text": "AP"}, "rangemode": "tozero"},
    )
    return fragment(drawing, f"AP over {key}", CHART_PX)


def _points(x: Sequence[Any], ended: Sequence[Trial]) -> go.Scatter:
    hover = [f"{chart_text(one.name, 80)}<br>AP {one.ap:.4f}" for one in ended]
    return go.Scatter(
        x=list(x), y=[one.ap for one in ended], mode="markers", cliponaxis=False,
        marker={"color": BLUE, "size": 9, "opacity": 0.8}, hovertext=hover, hoverinfo="text",
    )  # fmt: skip


def _importance(importance: Mapping[str, float]) -> Markup | None:
    columns = (Column("parameter", "text"), Column("importance", "share"))
    ranking = Chart("ranking", "parameter", ("importance",))
    title = "importance of each parameter"
    return chart(Table("importance", "", title, columns, [*importance.items()], chart=ranking))
