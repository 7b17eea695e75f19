"""One of the compared revisions: its values, and the files that it lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.results import CocoResults


class Curve(NamedTuple):
    """A line of a chart: as many y as x."""

    x: Sequence[float]
    y: Sequence[float]


class Detected(NamedTuple):
    """The detections in the validation split.

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
        curves: the line of each table with a chart of lines, by the table's name; what was not
            measured is missing.
        rows: of each table with bars the value of each row by its name, by the table's name; None
            is undefined.
        detected: its detections; None if unknown.
        data: identifies the content of the validation set; "" if unknown.
        lacks: files that the revision does not have, or not in a readable form.
    """

    name: str
    facts: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    detected: Detected | None = None
    data: str = ""
    lacks: Sequence[str] = ()
