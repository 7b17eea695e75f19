"""plots/history.csv, a row a training step, and plots/validation.csv, a row a measurement."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ssdcore.files import write_text

COLUMNS = (
    "step", "epoch", "loss", "loss_box", "loss_class", "lr", "loss_scale",
    "images_per_second", "val_AP", "val_AP50",
)  # fmt: skip
"""The last two are empty but at the steps after which the validation split was measured."""
VALIDATION_COLUMNS = ("step", "epoch", "val_AP", "val_AP50")
"""The measurements alone: DVC draws an empty cell as 0."""


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
