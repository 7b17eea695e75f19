"""Reads a candidate out of a revision's files, which may be of any age."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ssdcore.core import layout
from ssdcore.core.nested import leaves
from ssdcore.report.comparison.candidate import Candidate, ClassResult, Curve, Detected
from ssdcore.report.comparison.files import Read, RevisionFiles, Row


def read_candidate(name: str, origin: Mapping[str, str], read: Read) -> Candidate:
    """Reads all that the page says of one revision.

    Args:
        name: as the user calls it.
        origin: commit, experiment and the like, the first of its facts.
        read: returns a file's content.

    Raises:
        InputError: what `read` raises.
    """
    files = RevisionFiles(read)
    evaluated = files.mapping(layout.EVALUATE_METRICS)
    analysed = files.mapping(layout.ANALYSIS)
    source = files.mapping(layout.SOURCE)
    figures = {
        "evaluate": evaluated,
        "train": files.mapping(layout.TRAIN_METRICS),
        "errors": {error["kind"]: error["AP50_cost"] for error in analysed.get("errors", [])},
    }
    curves = {
        "loss": _curve(files.rows(layout.HISTORY), "step", "loss"),
        "val_AP": _curve(files.rows(layout.VALIDATION), "step", "val_AP"),
        "precision": _mean_curve(files.rows(layout.PR_CURVES), "recall", "precision"),
        "f1": _curve_of_all(analysed, "score", "f1"),
    }
    return Candidate(
        name,
        {**origin, "device": str(evaluated.get("device", "")), **files.versions()},
        params=dict(leaves(files.params())),
        figures={key: value for key, value in leaves(figures) if _is_defined(value)},
        curves={key: curve for key, curve in curves.items() if curve.x},
        classes={row["name"]: _class_result(row) for row in files.rows(layout.PER_CLASS)},
        detected=_detected(files, source),
        data=_identity(source),
        lacks=files.lacks,
    )


def _detected(files: RevisionFiles, source: Mapping[str, Any]) -> Detected | None:
    split, results = files.split(), files.results()
    images = _val(source).get("images")
    if split is None or results is None or images is None:
        return None
    return Detected(split, results, images)


def _curve(rows: Sequence[Row], x: str, y: str) -> Curve:
    """Returns two columns, without the rows where one of them is empty or no number."""
    points = [(_number(row.get(x)), _number(row.get(y))) for row in rows]
    known = [(a, b) for a, b in points if a is not None and b is not None]
    return Curve([a for a, _ in known], [b for _, b in known])


def _mean_curve(rows: Sequence[Row], x: str, y: str) -> Curve:
    """Returns the mean over the classes at each x, rising."""
    values: dict[float, list[float]] = defaultdict(list)
    for a, b in zip(*_curve(rows, x, y), strict=True):
        values[a].append(b)
    return Curve(sorted(values), [fmean(values[a]) for a in sorted(values)])


def _curve_of_all(analysed: Mapping[str, Any], x: str, y: str) -> Curve:
    for curve in analysed.get("score_curves", []):
        if curve["name"] is None:
            known = [(a, b) for a, b in zip(curve[x], curve[y], strict=True) if b is not None]
            return Curve([a for a, _ in known], [b for _, b in known])
    return Curve([], [])


def _class_result(row: Row) -> ClassResult:
    ap, objects = _number(row.get("AP")), _number(row.get("objects"))
    return ClassResult(ap if ap is not None and ap >= 0 else None, int(objects or 0))


def _identity(source: Mapping[str, Any]) -> str:
    """Returns the hashes of the validation annotations and images, as download hashed them."""
    val = _val(source)
    return " ".join(str(val[key]) for key in ("annotations_sha256", "images_sha256") if key in val)


def _val(source: Mapping[str, Any]) -> Mapping[str, Any]:
    record: Mapping[str, Any] = source.get("splits", {}).get("val", {})
    return record


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_defined(value: Any) -> bool:
    """Tells whether a value is a number, and not COCO's -1 for one that is undefined."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
