"""Writes plots/history.csv, one row per step, and plots/validation.csv, one per validation."""

import csv
import io
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isnan, nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssdcore.core.files import write_text

COLUMNS = (
    "step", "epoch", "loss", "loss_box", "loss_class", "lr", "loss_scale",
    "gradient_norm", "images_per_second", "val_AP", "val_AP50",
)  # fmt: skip
"""Columns of the history; the last two have values only at steps with a validation."""
INTEGER_COLUMNS = ("step", "epoch")
VALIDATION_COLUMNS = ("step", "epoch", "val_AP", "val_AP50")
"""Columns of the separate file of validations: DVC draws empty cells of the history as 0."""


class HistoryRows:
    """The rows of a training history in 88 bytes each; long trainings have half a million steps.

    Missing values are NaN inside and are left out of the rows that iteration yields. The `table`
    has the rows of the training so far, if any.
    """

    def __init__(self, table: NDArray[np.float64] | None = None) -> None:
        self._values = array("d", [] if table is None else table.ravel().tolist())

    def append(self, row: Mapping[str, float]) -> None:
        """Adds a row; keys that are not columns are ignored."""
        self._values.extend(row.get(name, nan) for name in COLUMNS)

    def amend(self, values: Mapping[str, float]) -> None:
        """Sets values of the last row by column."""
        for name, value in values.items():
            self._values[COLUMNS.index(name) - len(COLUMNS)] = value

    def table(self) -> NDArray[np.float64]:
        """Returns a copy of all values, (rows, columns)."""
        return np.array(self._values).reshape(-1, len(COLUMNS))

    def columns(self, names: Sequence[str]) -> list[list[float]]:
        """Returns some values of every row, in the order of `names`."""
        values: list[list[float]] = self.table()[:, [COLUMNS.index(n) for n in names]].tolist()
        return values

    def __len__(self) -> int:
        return len(self._values) // len(COLUMNS)

    def __iter__(self) -> Iterator[dict[str, float]]:
        for start in range(0, len(self._values), len(COLUMNS)):
            values = zip(COLUMNS, self._values[start : start + len(COLUMNS)], strict=True)
            row = {name: value for name, value in values if not isnan(value)}
            yield row | {name: int(row[name]) for name in INTEGER_COLUMNS}


def write_history(
    path: Path, rows: Iterable[Mapping[str, float]], columns: Sequence[str] = COLUMNS
) -> None:
    """Writes rows as CSV with seven significant digits; missing values are empty cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name, "")) for name in columns])
    write_text(path, text.getvalue())


def _cell(value: float | str) -> float | str:
    return f"{value:.7g}" if isinstance(value, float) else value
