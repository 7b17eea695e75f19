"""plots/history.csv, a row a training step, and plots/validation.csv, a row a measurement."""

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
    "images_per_second", "val_AP", "val_AP50",
)  # fmt: skip
"""The last two are empty but at the steps after which the validation split was measured."""
WHOLE = ("step", "epoch")
"""Columns of whole numbers."""
VALIDATION_COLUMNS = ("step", "epoch", "val_AP", "val_AP50")
"""The measurements alone: DVC draws an empty cell as 0."""


class HistoryRows:
    """The rows of a training, 80 bytes each: days of it are half a million steps.

    What is missing, or no number, is NaN inside and left out of the rows that come out.

    Args:
        table: (rows, columns) of an earlier part of the training.
    """

    def __init__(self, table: NDArray[np.float64] | None = None) -> None:
        self._values = array("d", [] if table is None else table.ravel().tolist())

    def append(self, row: Mapping[str, float]) -> None:
        """Adds a row; keys that are no columns are left out."""
        self._values.extend(row.get(name, nan) for name in COLUMNS)

    def amend(self, values: Mapping[str, float]) -> None:
        """Sets columns of the last row."""
        for name, value in values.items():
            self._values[COLUMNS.index(name) - len(COLUMNS)] = value

    def table(self) -> NDArray[np.float64]:
        """Returns a copy as (rows, columns)."""
        return np.array(self._values).reshape(-1, len(COLUMNS))

    def __len__(self) -> int:
        return len(self._values) // len(COLUMNS)

    def __iter__(self) -> Iterator[dict[str, float]]:
        for start in range(0, len(self._values), len(COLUMNS)):
            values = zip(COLUMNS, self._values[start : start + len(COLUMNS)], strict=True)
            row = {name: value for name, value in values if not isnan(value)}
            yield row | {name: int(row[name]) for name in WHOLE}


def write_history(
    path: Path, rows: Iterable[Mapping[str, float]], columns: Sequence[str] = COLUMNS
) -> None:
    """Writes the rows under `columns`, seven significant digits, missing values empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name, "")) for name in columns])
    write_text(path, text.getvalue())


def _cell(value: float | str) -> float | str:
    return f"{value:.7g}" if isinstance(value, float) else value
