"""The differences between candidates: parameters, figures and rows of tables side by side."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ssdcore.evaluation.table import HIGHER, LOWER, NEITHER, Table
from ssdcore.report import words
from ssdcore.report.comparison.candidate import Candidate

COCO = "COCO figures"
GROUPS = {
    COCO: ("evaluate.bbox.", HIGHER),
    "Milliseconds per image": ("evaluate.milliseconds.", LOWER),
    "Evaluation": ("evaluate.", NEITHER),
    "Training": ("train.", NEITHER),
}
"""Headings of the figures by the beginning of their keys; the first that fits counts."""
DIRECTIONS = {
    "train.loss": LOWER, "train.loss_box": LOWER, "train.loss_class": LOWER,
    "train.best.AP": HIGHER, "train.best.AP50": HIGHER,
    "train.images_per_second": HIGHER, "evaluate.images_per_second": HIGHER,
    "evaluate.precision": HIGHER, "evaluate.recall": HIGHER, "evaluate.f1": HIGHER,
    "evaluate.calibration_error": LOWER,
}  # fmt: skip
IN_A_TABLE = "/"
"""In the key of a scalar that is a row of a table as well, and not shown twice."""


class ParameterRow(NamedTuple):
    """A parameter by its dotted key: one value a candidate as text, None where it has none."""

    key: str
    values: Sequence[str | None]

    @property
    def differs(self) -> bool:
        """Whether the candidates' values differ."""
        return len(set(self.values)) > 1


class FigureRow(NamedTuple):
    """A figure of all candidates.

    Attributes:
        label: its name.
        values: one a candidate, None where it was not measured.
        better: `HIGHER`, `LOWER` or `NEITHER`.
    """

    label: str
    values: Sequence[float | None]
    better: int = NEITHER

    @property
    def changes(self) -> list[float | None]:
        """The difference of each to the first, None where one of them was not measured."""
        first = self.values[0]
        return [None if v is None or first is None else v - first for v in self.values]

    def shown(self) -> list[str]:
        """Returns the values as text, all with the same decimals."""
        return [words.DASH if v is None else f"{v:,.{self._decimals}f}" for v in self.values]

    def shown_changes(self) -> list[str]:
        """Returns the changes as text with their signs, "" where one was not measured."""
        texts = ("" if c is None else f"{c:+,.{self._decimals}f}" for c in self.changes)
        return [re.sub(r"^[+-](?=[0.]+$)", "±", text).replace("-", "\u2212") for text in texts]

    def verdicts(self) -> list[str]:
        """Returns `better`, `worse` or "" for each change; "" also where it rounds to none."""
        rounded = [round(change or 0.0, self._decimals) * self.better for change in self.changes]
        return ["better" if c > 0 else "worse" if c < 0 else "" for c in rounded]

    @property
    def _decimals(self) -> int:
        known = [value for value in self.values if value is not None]
        if all(isinstance(value, int) for value in known):
            return 0
        return 3 if max(known, default=0) < 10 else 1


def parameter_rows(candidates: Sequence[Candidate]) -> list[ParameterRow]:
    """Returns every parameter of any candidate, in the order of their files."""
    return [
        ParameterRow(
            key,
            [words.setting(one.params[key]) if key in one.params else None for one in candidates],
        )
        for key in _all_keys(one.params for one in candidates)
    ]


def figure_groups(candidates: Sequence[Candidate]) -> dict[str, list[FigureRow]]:
    """Returns all figures under their headings, without empty headings.

    Losses of different kinds have different scales: none of them is better.
    """
    same_loss = len({one.params.get("train.loss") for one in candidates}) == 1
    groups: dict[str, list[FigureRow]] = {heading: [] for heading in GROUPS}
    for key in _all_keys(one.figures for one in candidates):
        if IN_A_TABLE in key:
            continue
        heading, (prefix, better) = next(
            (name, rule) for name, rule in GROUPS.items() if key.startswith(rule[0])
        )
        values = [one.figures.get(key) for one in candidates]
        label = key.removeprefix(prefix).replace("_", " ").replace(".", " ")
        better = DIRECTIONS.get(key, better)
        if key.startswith("train.loss") and not same_loss:
            better = NEITHER
        groups[heading].append(FigureRow(label, values, better))
    return {heading: rows for heading, rows in groups.items() if rows}


def table_rows(candidates: Sequence[Candidate], table: Table) -> list[FigureRow]:
    """Returns the rows of a table with bars, by its last bar.

    Those of a ranking are in the order of the change of the last candidate, the highest first,
    those without a change last.
    """
    assert table.chart
    name, value = (table.find(column) for column in (table.chart.x, table.chart.y[-1]))
    found = [one.rows.get(table.name, {}) for one in candidates]
    rows = [
        FigureRow(words.cell(name, key), [values.get(key) for values in found], value.better)
        for key in _all_keys(found)
    ]
    if table.chart.kind == "ranking":
        rows.sort(key=lambda row: (row.changes[-1] is None, -(row.changes[-1] or 0.0)))
    return rows


def _all_keys(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
