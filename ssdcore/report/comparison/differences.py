"""How the candidates differ: parameters, figures and classes, beside each other in rows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ssdcore.report import words
from ssdcore.report.comparison.candidate import Candidate

HIGHER, LOWER, NEITHER = 1, -1, 0
"""Which way a figure gets better."""
COCO = "COCO figures"
GROUPS = {
    COCO: ("evaluate.bbox.", HIGHER),
    "AP50 that errors cost": ("errors.", LOWER),
    "Milliseconds an image": ("evaluate.milliseconds.", LOWER),
    "Evaluation": ("evaluate.", NEITHER),
    "Training": ("train.", NEITHER),
}
"""Headings of the figures' table by the keys' beginning; the first that fits counts."""
DIRECTIONS = {
    "train.loss": LOWER, "train.loss_box": LOWER, "train.loss_class": LOWER,
    "train.best.AP": HIGHER, "train.best.AP50": HIGHER,
    "train.images_per_second": HIGHER, "evaluate.images_per_second": HIGHER,
}  # fmt: skip


class ParameterRow(NamedTuple):
    """A parameter by its dotted key: one value a candidate as text, None where it has no such."""

    key: str
    values: Sequence[str | None]

    @property
    def differs(self) -> bool:
        """Whether not all candidates have the same."""
        return len(set(self.values)) > 1


class FigureRow(NamedTuple):
    """A figure of all candidates.

    Attributes:
        label: what it is.
        values: one a candidate, None where it was not measured.
        changes: the difference of each to the first, None where one of them was not measured.
        better: `HIGHER`, `LOWER` or `NEITHER`.
        objects: of a class in the validation set of the first that has it; 0 of other figures.
    """

    label: str
    values: Sequence[float | None]
    changes: Sequence[float | None]
    better: int
    objects: int = 0

    def shown(self) -> list[str]:
        """Returns the values as text, all with the same decimals."""
        return [words.DASH if v is None else f"{v:,.{self._decimals}f}" for v in self.values]

    def shown_changes(self) -> list[str]:
        """Returns the changes as text with their signs, "" where there is none to tell."""
        texts = ("" if c is None else f"{c:+,.{self._decimals}f}" for c in self.changes)
        return [re.sub(r"^[+-](?=[0.]+$)", "±", text).replace("-", "\u2212") for text in texts]

    @property
    def _decimals(self) -> int:
        known = [value for value in self.values if value is not None]
        if all(isinstance(value, int) for value in known):
            return 0
        return 3 if max(known, default=0) < 10 else 1

    def verdicts(self) -> list[str]:
        """Returns `better`, `worse` or "" for each change; "" also where it shows as none."""
        rounded = [round(change or 0.0, self._decimals) for change in self.changes]
        return [_verdict(change, self.better) for change in rounded]


def parameter_rows(candidates: Sequence[Candidate]) -> list[ParameterRow]:
    """Returns every parameter that some candidate has, in the order in which they name them."""
    return [
        ParameterRow(key, [_setting(one, key) for one in candidates])
        for key in _all_keys(one.params for one in candidates)
    ]


def figure_groups(candidates: Sequence[Candidate]) -> dict[str, list[FigureRow]]:
    """Returns all figures under their headings, without headings that have none.

    Losses of different kinds are on scales of their own: none of them is better.
    """
    same_loss = len({one.params.get("train.loss") for one in candidates}) == 1
    groups: dict[str, list[FigureRow]] = {heading: [] for heading in GROUPS}
    for key in _all_keys(one.figures for one in candidates):
        heading, (prefix, better) = next(
            (name, rule) for name, rule in GROUPS.items() if key.startswith(rule[0])
        )
        values = [one.figures.get(key) for one in candidates]
        label = key.removeprefix(prefix).replace("_", " ").replace(".", " ")
        better = DIRECTIONS.get(key, better)
        if key.startswith("train.loss") and not same_loss:
            better = NEITHER
        groups[heading].append(_figure_row(label, values, better))
    return {heading: rows for heading, rows in groups.items() if rows}


def class_rows(candidates: Sequence[Candidate]) -> list[FigureRow]:
    """Returns the classes' AP, from what the last candidate gained most to what it lost most.

    Classes without a change, because one of the two did not measure them, come last.
    """
    rows = []
    for name in _all_keys(one.classes for one in candidates):
        found = [one.classes.get(name) for one in candidates]
        objects = next(result.objects for result in found if result)
        rows.append(_figure_row(name, [r and r.ap for r in found], HIGHER, objects))
    return sorted(rows, key=lambda row: (row.changes[-1] is None, -(row.changes[-1] or 0.0)))


def _figure_row(
    label: str, values: Sequence[float | None], better: int, objects: int = 0
) -> FigureRow:
    first = values[0]
    changes = [None if v is None or first is None else v - first for v in values]
    return FigureRow(label, values, changes, better, objects)


def _setting(candidate: Candidate, key: str) -> str | None:
    return words.setting(candidate.params[key]) if key in candidate.params else None


def _all_keys(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def _verdict(change: float, better: int) -> str:
    if not change or not better:
        return ""
    return "better" if change * better > 0 else "worse"
