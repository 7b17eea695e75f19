"""All tables of the evaluation, and the files that hold them.

A new figure is a function from a judged split to a table, added to `TABLES`: it then is in the
metrics, in a CSV file, in MLflow, in the report and in the comparison of revisions.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.detection_matching import Found, Truth
from ssdcore.coco.metrics import FIGURES, UNDEFINED, defined
from ssdcore.coco.results import CocoResults, write_results
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import read_json, replacing_folder, write_json, write_text
from ssdcore.evaluation.calibration import calibration
from ssdcore.evaluation.coco_figures import coco_figures, per_class
from ssdcore.evaluation.confusion import confusion
from ssdcore.evaluation.curves import precision_recall, score_curves
from ssdcore.evaluation.errors import errors
from ssdcore.evaluation.judged import JudgedSplit, judge_split
from ssdcore.evaluation.named_table import Chart, Column, Table, parse_rows, to_csv
from ssdcore.evaluation.outcomes import judge
from ssdcore.evaluation.sizes import sizes_px, sizes_share
from ssdcore.evaluation.split import Split

TABLES: tuple[Callable[[JudgedSplit], Table], ...] = (
    per_class,
    errors,
    confusion,
    precision_recall,
    score_curves,
    calibration,
    sizes_px,
    sizes_share,
    coco_figures,
)
"""All tables in the order of the report."""
TRACKED = (
    "AP", "AP_low", "AP_high", "AP50", "AP75", "APs", "APm", "APl", "AR100", "f1", "precision",
    "recall", "threshold",
)  # fmt: skip
"""Scalars with a chart in MLflow, which shows the CSV files of all figures as tables."""


def analyse(
    truth: CocoSplit,
    results: CocoResults,
    figures: Mapping[str, Any],
    threshold: float | None = None,
) -> list[Table]:
    """Computes all tables; the arguments are those of `judge_split`."""
    judged = judge_split(truth, results, figures, threshold)
    return [table(judged) for table in TABLES]


def empty_tables() -> list[Table]:
    """Returns all tables of a split without classes: their columns and charts, without figures."""
    none, nothing = np.zeros(0, np.int64), np.zeros(0)
    truth = Truth(none, none, none > 0, np.zeros((0, 4)))
    found = Found(none, none, nothing, np.zeros((0, 4)))
    split = Split((), truth, found, nothing, nothing, nothing)
    figures = {"per_class": [], "pr_curves": [], **dict.fromkeys(FIGURES, UNDEFINED)}
    judged = JudgedSplit(split, judge(truth, found), figures)
    return [table(judged) for table in TABLES]


def scalars(tables: Iterable[Table]) -> dict[str, float]:
    """Returns the scalars of all tables that are defined, by name."""
    return {
        name: value
        for table in tables
        for name, value in table.scalars.items()
        if value is not None
    }


def results_of(
    split: str,
    figures: Mapping[str, Any],
    tables: Iterable[Table],
    images: int,
    remarks: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Returns the content of metrics/validation.json, or of metrics/evaluate.json without times.

    Remarks explain what the figures depend on, by their keys in the file.
    """
    return {
        "split": split,
        "bbox": {name: defined(figures[name]) for name in FIGURES},
        "images": images,
        **scalars(tables),
        **remarks,
    }


def write_evaluation(path: Path, tables: Iterable[Table], results: CocoResults) -> None:
    """Writes the folder evaluation/ in place of an earlier one: the detections and all tables."""
    with replacing_folder(path) as folder:
        write_results(folder / layout.PREDICTIONS.name, results)
        write_tables(folder, tables)


def write_tables(folder: Path, tables: Iterable[Table]) -> None:
    """Writes the rows of each table to a CSV file and all the rest to one JSON file."""
    described = []
    for table in tables:
        write_text(folder / layout.table(table.name).name, to_csv(table))
        described.append({key: value for key, value in asdict(table).items() if key != "rows"})
    write_json(folder / layout.TABLES.name, described)


def read_tables(folder: Path) -> dict[str, Table]:
    """Returns the tables that the evaluate stage wrote, by name, in the order of the report.

    Raises:
        InputError: the files are those of another version.
    """
    path = folder / layout.TABLES.name
    try:
        described = read_json(path)
        return {table["name"]: _read_table(folder, table) for table in described}
    except (KeyError, TypeError, ValueError) as error:
        expected = "the fields that this version writes"
        remedy = "Run the evaluate stage"
        raise InputError(str(path), str(error), expected, remedy) from error


def _read_table(folder: Path, described: Mapping[str, Any]) -> Table:
    columns = tuple(Column(**column) for column in described["columns"])
    path = folder / layout.table(described["name"]).name
    with path.open(encoding="utf-8", newline="") as file:
        rows = parse_rows(file.read(), columns, str(path))
    chart: dict[str, Any] | None = described["chart"]
    if chart:
        chart = {key: tuple(v) if isinstance(v, list) else v for key, v in chart.items()}
    drawn = Chart(**chart) if chart else None
    return Table(**{**described, "columns": columns, "rows": rows, "chart": drawn})
