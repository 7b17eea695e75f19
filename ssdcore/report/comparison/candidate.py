"""One of the compared revisions, read from its files, which may be of any version.

A file that is missing or has another form is noted, not fatal. The tables are those of the present
code; of each only the columns of its chart are read, which older revisions have as well.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, TypeVar

from ruamel.yaml import YAML

from ssdcore.coco.annotations import CocoSplit, check_rows
from ssdcore.coco.detection_matching import Floats
from ssdcore.coco.results import CocoResults, parse_results
from ssdcore.coco.rows import parse_rows as parse_coco
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.nested import leaves
from ssdcore.evaluation.bootstrap import bootstrap
from ssdcore.evaluation.judged import unlike
from ssdcore.evaluation.named_table import Table, parse_rows
from ssdcore.evaluation.split import read_split
from ssdcore.evaluation.tables import empty_tables
from ssdcore.report.tables import REMARK, TRAINING_TABLES
from ssdcore.report.words import defined

Read = Callable[[Path], bytes | None]
"""Returns a file's content; None where the revision has no such file.

Raises an InputError if DVC records one that is in neither its cache nor a remote.
"""
Parsed = TypeVar("Parsed")
TABLES = [
    *((layout.HISTORY, table) for table in TRAINING_TABLES),
    *((layout.table(table.name), table) for table in empty_tables()),
]
"""All tables, with the files of their rows."""
BBOX = "evaluate.bbox."
"""Prefix of the keys of COCO's figures."""
EVALUATED_ON = "evaluated on"
"""The fact that names the split."""
NOT_FETCHED = " (not fetched)"
COMPARED = ("lines", "bars", "ranking")
"""Kinds of charts whose tables are compared."""
PINNED = re.compile(r"^(mindspore|numpy|opencv-python-headless|dvc|mlflow)==([^\s;\\]+)", re.M)
"""The packages that results depend on, in the file of pinned requirements."""


class Detected(NamedTuple):
    """The detections in the evaluated split.

    Attributes:
        split: its ground truth.
        results: the detections.
        images: path or address of the split's images, as download recorded it.
    """

    split: CocoSplit
    results: CocoResults
    images: str


@dataclass(frozen=True)
class Candidate:
    """One of the compared revisions.

    Attributes:
        name: the user's name for it.
        facts: commit, experiment, device, versions, in the order to show.
        params: parameters by dotted key.
        figures: numbers of the metrics files by dotted key, counts as int; undefined ones are
            missing.
        values: by the name of a table with a chart: of lines the points, y by x, without those
            that were not measured; of bars the value of each row by its name, None if undefined.
        detected: its detections; None if unknown.
        resamples: figures of the same resamples of the images for all revisions: COCO's by dotted
            key, AP of a class by its table and name; none if the detections are unknown.
        data: identifies the content of the evaluated split; "" if unknown.
        lacks: files that the revision does not have, or not in a readable form, or (with
            `NOT_FETCHED`) not on this machine.
    """

    name: str
    facts: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, Mapping[Any, float | None]] = field(default_factory=dict)
    detected: Detected | None = None
    resamples: Mapping[str, Floats] = field(default_factory=dict)
    data: str = ""
    lacks: Sequence[str] = ()


def read_candidate(name: str, origin: Mapping[str, str], read: Read) -> Candidate:
    """Reads all that the page shows of one revision, whose origin gives the first of its facts."""
    files = _Files(read)
    evaluated = files.parse(layout.EVALUATE_METRICS, _mapping) or {}
    trained = files.parse(layout.TRAIN_METRICS, _mapping) or {}
    yaml = YAML(typ="safe", pure=True)
    params = files.parse(layout.PARAMS, lambda text: dict(yaml.load(text).items())) or {}
    split_name = layout.TEST if evaluated.get("split") == layout.TEST else "val"
    source = layout.source(split_name)
    of_split = (
        files.parse(source, lambda text: dict(_mapping(text).get("splits", {}).get(split_name, {})))
        or {}
    )
    truth = layout.ground_truth(split_name)
    where = str(truth)
    split = files.parse(truth, lambda text: check_rows(parse_coco(text.encode, where), where))
    results = files.parse(layout.PREDICTIONS, parse_results)
    values: dict[str, dict[Any, float | None]] = {}
    for path, table in TABLES:
        if table.chart and table.chart.kind in COMPARED:
            values[table.name] = files.values(path, table, values.get(layout.PER_CLASS.stem, {}))
    detected, resamples = None, {}
    if split and results is not None and "images" in of_split:
        detected = Detected(split, results, str(of_split["images"]))
        try:
            figures, classes = bootstrap(read_split(split, results))
            resamples = {BBOX + name: values for name, values in figures.items()}
            names = (f"{layout.PER_CLASS.stem}/{one.name}" for one in split.classes)
            resamples |= zip(names, classes, strict=True)
        except InputError:  # an image or a category that the split does not have
            files.lacks[f"{layout.PREDICTIONS} (of other images)"] = None
    pinned = files.parse(layout.REQUIREMENTS, PINNED.findall) or []
    measured = {"evaluate": evaluated, "train": trained}
    if split_name == layout.TEST:
        validation = files.parse(layout.VALIDATION_METRICS, _mapping) or {}
        measured["validation"] = {"bbox": validation.get("bbox", {})}
    return Candidate(
        name,
        {
            **origin,
            EVALUATED_ON: split_name if evaluated else "",
            "device": str(evaluated.get("device", "")),
            **({"training": str(evaluated[REMARK])} if REMARK in evaluated else {}),
            **dict(pinned),
        },
        params=dict(leaves(params)),
        figures={key: value for key, value in leaves(measured) if _is_defined(value)},
        values={name: found for name, found in values.items() if found},
        detected=detected,
        resamples=resamples,
        data=" ".join(
            str(of_split[key]) for key in ("annotations_sha256", "images_sha256") if key in of_split
        ),
        lacks=list(files.lacks),
    )


class _Files:
    """The files of one revision; `lacks` lists those that are missing or unreadable."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.lacks: dict[str, None] = {}

    def parse(self, path: Path, parse: Callable[[str], Parsed]) -> Parsed | None:
        """Returns the parsed content of a file; None where there is none to read here."""
        try:
            content, fault = self._read(path), ""
        except InputError:
            content, fault = None, NOT_FETCHED
        if content is not None:
            try:
                return parse(content.decode("utf-8"))
            except Exception:  # whatever the readers raise for a file of another form
                fault = " (unreadable)"
        self.lacks[f"{path}{fault}"] = None
        return None

    def values(self, path: Path, table: Table, classes: Collection[str]) -> dict[Any, float | None]:
        """Returns what the chart of a table shows, see `Candidate.values`.

        Of several lines it is the main one, or the mean of all if there is none.
        Its name differs from those of the classes, as in the evaluation.
        """
        chart = table.chart
        assert chart
        names = (chart.x, chart.y[0 if chart.kind == "lines" else -1], chart.by)
        columns = [table.find(name) for name in names if name]
        rows: list[Any] = self.parse(path, lambda text: parse_rows(text, columns, str(path))) or []
        if chart.kind != "lines":
            return {name: value if defined(value) else None for name, value in rows}
        main = unlike(chart.main, classes)
        rows = [row for row in rows if row[2:] == (main,)] or rows
        points = defaultdict(list)
        for x, y, *_ in rows:
            if x is not None and defined(y):
                points[x].append(y)
        return {x: fmean(points[x]) for x in sorted(points)}


def _mapping(text: str) -> dict[str, Any]:
    return dict(json.loads(text).items())


def _is_defined(value: Any) -> bool:
    """Returns whether a value is a number, and not COCO's -1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and defined(value)
