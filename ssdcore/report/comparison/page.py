"""The page that compares candidates: their parameters, figures, tables and charts side by side."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from ssdcore.evaluation.bootstrap import RESAMPLES, Interval, interval
from ssdcore.evaluation.coco_figures import MEANINGS
from ssdcore.evaluation.named_table import Table
from ssdcore.evaluation.outcomes import NAMES
from ssdcore.report import words
from ssdcore.report.charts import x_axis, y_axis
from ssdcore.report.comparison.candidate import BBOX, EVALUATED_ON, TABLES, Candidate
from ssdcore.report.comparison.images import ComparedImage
from ssdcore.report.document import render_document
from ssdcore.report.plotting import COLOURS, figure, fragment, line, smoothed

COCO = "COCO figures"
SAME = "the same"
"""Text for a change between figures that are equal in every resample of the images."""
GROUPS = {
    BBOX: COCO,
    "evaluate.milliseconds.": "Milliseconds per image",
    "evaluate.": "Evaluation",
    "validation.bbox.": "COCO figures of the validation set",
    "train.": "Training",
}
"""Headings of the figures by the prefix of their keys; the first match counts."""
IN_A_TABLE = tuple(f"/{outcome}" for outcome in NAMES)
"""Endings of the keys of scalars that are also rows of a table, and are not shown twice."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""Styles of lines, the next one each time the colours repeat."""


class FigureRow(NamedTuple):
    """A figure of all candidates, None where it was not measured.

    The noise is the 95% interval of each change over images, None where unknown.
    """

    label: str
    values: Sequence[float | None]
    noise: Sequence[Interval | None]

    @property
    def changes(self) -> list[float | None]:
        """The difference of each to the first, None where one of them was not measured."""
        first = self.values[0]
        return [None if v is None or first is None else v - first for v in self.values]

    def shown(self) -> list[str]:
        """Returns the values as text, all with the same decimals."""
        return [words.DASH if v is None else f"{v:,.{self._decimals}f}" for v in self.values]

    def shown_changes(self) -> list[str]:
        """Returns the changes as text with their signs, "" where one was not measured.

        Figures that are equal in all resamples are said to be the same.
        """
        texts = (
            "" if c is None else SAME if c == 0 and noise == (0, 0) else f"{c:+,.{self._decimals}f}"
            for c, noise in zip(self.changes, self.noise, strict=True)
        )  # fmt: skip
        return [re.sub(r"^[+-](?=[0.]+$)", "±", text).replace("-", "\u2212") for text in texts]

    def shown_noise(self) -> list[str]:
        """Returns the intervals as text, "" where unknown."""
        texts = ("" if one is None else f"{one[0]:+.3f} to {one[1]:+.3f}" for one in self.noise)
        return [text.replace("-", "\u2212") for text in texts]

    def verdicts(self) -> list[str]:
        """Returns `better` or `worse` outside the noise, `noise` within, "" where it is unknown."""
        return [
            "" if one is None else "better" if one[0] > 0 else "worse" if one[1] < 0 else "noise"
            for one in self.noise
        ]

    @property
    def _decimals(self) -> int:
        known = [value for value in self.values if value is not None]
        if all(isinstance(value, int) for value in known):
            return 0
        return 3 if max(known, default=0) < 10 else 1


def render_comparison(
    candidates: Sequence[Candidate], images: Sequence[ComparedImage], remark: str = ""
) -> str:
    """Returns the comparison with the first candidate as one HTML document.

    It is the same text for the same content. The remark is the reason for no images.

    Raises:
        InputError: the page would be too large to open on a phone.
    """
    params, groups = parameters(candidates), figure_groups(candidates)
    coco = {row.label: row for row in groups.get(COCO, [])}
    charts = {
        table.title: fragment(drawn, f"{table.title}, a line a revision")
        for _, table in TABLES
        if (drawn := overlay(candidates, table))
    }
    return render_document(
        "compare",
        title=f"{len(candidates)} revisions compared",
        candidates=candidates,
        colours=[style(index)["color"] for index in range(len(candidates))],
        facts={
            key: values
            for key in _all_keys(one.facts for one in candidates)
            if any(values := [one.facts.get(key, "") for one in candidates])
        },
        resamples=RESAMPLES,
        same_images=same_images(candidates),
        parameters=params,
        changed={key: values for key, values in params.items() if len(set(values)) > 1},
        groups=groups,
        ap=coco.get("AP"),
        same=SAME,
        meanings=MEANINGS,
        tables=[(table, rows) for _, table in TABLES if (rows := table_rows(candidates, table))],
        charts=charts,
        images=images,
        remark=remark,
    )


def same_images(candidates: Sequence[Candidate]) -> bool | None:
    """Returns whether all candidates were evaluated on the same images; None if that is unknown."""
    data = {one.data for one in candidates}
    splits = {one.facts.get(EVALUATED_ON) for one in candidates} - {None, ""}
    if len(data) == 1 and "" not in data:
        return True
    return False if len(data - {""}) > 1 or len(splits) > 1 else None


def parameters(candidates: Sequence[Candidate]) -> dict[str, list[str | None]]:
    """Returns every parameter of any candidate: one text a candidate, None where it has none."""
    return {
        key: [words.setting(one.params[key]) if key in one.params else None for one in candidates]
        for key in _all_keys(one.params for one in candidates)
    }


def figure_groups(candidates: Sequence[Candidate]) -> dict[str, list[FigureRow]]:
    """Returns all figures under their headings, without empty headings."""
    groups: dict[str, list[FigureRow]] = {heading: [] for heading in GROUPS.values()}
    for key in _all_keys(one.figures for one in candidates):
        if key.endswith(IN_A_TABLE):
            continue
        prefix, heading = next(rule for rule in GROUPS.items() if key.startswith(rule[0]))
        name = key.removeprefix(prefix)
        values = [one.figures.get(key) for one in candidates]
        label = name.replace("_", " ").replace(".", " ")
        groups[heading].append(FigureRow(label, values, _noise(candidates, key)))
    return {heading: rows for heading, rows in groups.items() if rows}


def table_rows(candidates: Sequence[Candidate], table: Table) -> list[FigureRow]:
    """Returns the rows of a table with bars, by its last bar; none of another table.

    Those of a ranking are in the order of the change of the last candidate, the highest first,
    those without a change last.
    """
    if not table.chart or table.chart.kind not in ("bars", "ranking"):
        return []
    name = table.find(table.chart.x)
    found = [one.values.get(table.name, {}) for one in candidates]
    rows = [
        FigureRow(
            words.cell(name, key),
            [values.get(key) for values in found],
            _noise(candidates, f"{table.name}/{key}"),
        )
        for key in _all_keys(found)
    ]
    if table.chart.kind == "ranking":
        rows.sort(key=lambda row: (row.changes[-1] is None, -(row.changes[-1] or 0.0)))
    return rows


def overlay(candidates: Sequence[Candidate], table: Table) -> go.Figure | None:
    """Draws the line of each candidate that has one; None where none has.

    A candidate has the same colour and dash in all charts.
    """
    if not table.chart or table.chart.kind != "lines":
        return None
    points = {n: o.values[table.name] for n, o in enumerate(candidates) if table.name in o.values}
    traces = [
        line(
            [*values],
            smoothed([*values.values()]) if table.chart.smooth else [*values.values()],
            candidates[index].name,
            line={**style(index), "width": 2},
        )
        for index, values in points.items()
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


def _noise(candidates: Sequence[Candidate], key: str) -> list[Interval | None]:
    """Returns the interval of each change to the first, None unless both have the same images."""
    first = candidates[0]
    return [
        interval(one.resamples[key] - first.resamples[key])
        if key in first.resamples and key in one.resamples and same_images([first, one])
        else None
        for one in candidates
    ]


def _all_keys(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
