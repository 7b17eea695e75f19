"""Reads a candidate from the files of a revision of any age.

A file that is missing or has another form is noted, not fatal. The tables are those of the present
code; of each only the columns of its chart are read, which older revisions have as well.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ssdcore.coco.annotations import CocoSplit, read_coco
from ssdcore.coco.results import parse_results
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.nested import leaves
from ssdcore.evaluation.table import Table, parse_rows
from ssdcore.evaluation.tables import empty_tables
from ssdcore.report.comparison.candidate import Candidate, Curve, Detected
from ssdcore.report.tables import TRAINING_TABLES
from ssdcore.report.words import defined

Read = Callable[[Path], bytes | None]
"""Returns a file's content; None where the revision has no such file."""
Parsed = TypeVar("Parsed")
Records = list[dict[str, Any]]
TABLES = [*((layout.HISTORY, table) for table in TRAINING_TABLES)] + [
    (layout.table(table.name), table) for table in empty_tables()
]
"""All tables, with the files of their rows."""
PINNED = re.compile(r"^(mindspore|numpy|opencv-python-headless|dvc|mlflow)==([^\s;\\]+)", re.M)
"""The packages that results depend on, in the file of pinned requirements."""


def read_candidate(name: str, origin: Mapping[str, str], read: Read) -> Candidate:
    """Reads all that the page shows of one revision.

    Args:
        name: the user's name for it.
        origin: commit, experiment and the like, the first of its facts.
        read: returns a file's content.

    Raises:
        InputError: as `read` raises.
    """
    files = _Files(read)
    evaluated = files.parse(layout.EVALUATE_METRICS, _mapping) or {}
    trained = files.parse(layout.TRAIN_METRICS, _mapping) or {}
    params = files.parse(layout.PARAMS, _yaml_mapping) or {}
    source = files.parse(layout.SOURCE, _mapping) or {}
    val = source.get("splits", {}).get("val", {})
    split = files.parse(layout.annotations("val"), _split)
    results = files.parse(layout.PREDICTIONS, parse_results)
    curves: dict[str, Curve] = {}
    rows: dict[str, dict[str, float | None]] = {}
    for path, table in TABLES:
        if table.chart and table.chart.kind == "lines":
            curve = _main_line(table, files.records(path, table))
            if curve.x:
                curves[table.name] = curve
        elif table.chart and table.chart.kind in ("bars", "ranking"):
            key, value = table.chart.x, table.chart.y[-1]
            rows[table.name] = {
                record[key]: record[value] if defined(record[value]) else None
                for record in files.records(path, table)
            }
    figures = {"evaluate": evaluated, "train": trained}
    known = split is not None and results is not None and "images" in val
    return Candidate(
        name,
        {**origin, "device": str(evaluated.get("device", "")), **files.versions()},
        params=dict(leaves(params)),
        figures={key: value for key, value in leaves(figures) if _is_defined(value)},
        curves=curves,
        rows={name: values for name, values in rows.items() if values},
        detected=Detected(split, results, val["images"]) if known and split and results else None,
        data=" ".join(str(val[k]) for k in ("annotations_sha256", "images_sha256") if k in val),
        lacks=list(files.lacks),
    )


class _Files:
    """The files of one revision; `lacks` lists those that are missing or unreadable."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.lacks: dict[str, None] = {}

    def parse(self, path: Path, parse: Callable[[str], Parsed]) -> Parsed | None:
        """Returns the parsed content of a file; None where there is none."""
        content = self._read(path)
        if content is None:
            self.lacks[str(path)] = None
            return None
        try:
            return parse(content.decode("utf-8"))
        except (ValueError, TypeError, KeyError, AttributeError, YAMLError, InputError):
            self.lacks[f"{path} (unreadable)"] = None
            return None

    def records(self, path: Path, table: Table) -> Records:
        """Returns the rows of a table, with the columns of its chart alone."""
        assert table.chart
        wanted = [name for name in (table.chart.by, table.chart.x, table.chart.y[-1]) if name]
        if table.chart.kind == "lines":
            wanted[-1] = table.chart.y[0]
        columns = [table.find(name) for name in wanted]
        rows = self.parse(path, lambda text: parse_rows(text, columns, str(path))) or []
        return [dict(zip(wanted, row, strict=True)) for row in rows]

    def versions(self) -> dict[str, str]:
        """Returns the packages that the revision pins, none where it pins none."""
        content = self._read(layout.REQUIREMENTS) or b""
        return dict(PINNED.findall(content.decode("utf-8", "replace")))


def _main_line(table: Table, records: Records) -> Curve:
    """Returns the line that stands out, or the mean of all lines where there is none."""
    assert table.chart
    x, y, by, main = table.chart.x, table.chart.y[0], table.chart.by, table.chart.main
    if by and any(record[by] == main for record in records):
        records = [record for record in records if record[by] == main]
    values: dict[float, list[float]] = {}
    for record in records:
        if record[x] is not None and defined(record[y]):
            values.setdefault(record[x], []).append(record[y])
    return Curve(sorted(values), [fmean(values[at]) for at in sorted(values)])


def _mapping(text: str) -> dict[str, Any]:
    return dict(json.loads(text).items())


def _yaml_mapping(text: str) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(text).items())


def _split(text: str) -> CocoSplit:
    with TemporaryDirectory() as folder:
        path = Path(folder, layout.annotations("val").name)
        path.write_text(text, encoding="utf-8")
        return read_coco(path)


def _is_defined(value: Any) -> bool:
    """Tells whether a value is a number, and not COCO's -1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and defined(value)
