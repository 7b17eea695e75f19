"""plots/history.csv: a row for each training step."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from ssdcore.files import write_text

COLUMNS = (
    "step", "epoch", "loss", "loss_box", "loss_class", "lr", "images_per_second",
    "val_AP", "val_AP50",
)  # fmt: skip
"""The last two are empty but at the steps after which the validation split was measured."""


def write_history(path: Path, rows: Iterable[Mapping[str, float]]) -> None:
    """Writes the rows under `COLUMNS`, seven significant digits, missing values empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row.get(name, "")) for name in COLUMNS])
    write_text(path, text.getvalue())


def _cell(value: float | str) -> float | str:
    return f"{value:.7g}" if isinstance(value, float) else value
