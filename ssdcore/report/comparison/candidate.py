"""One of the compared revisions: what it says of itself, and what it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ssdcore.coco.annotations import CocoSplit
from ssdcore.coco.results import CocoResults


class Curve(NamedTuple):
    """A line of a chart: as many y as x."""

    x: Sequence[float]
    y: Sequence[float]


class ClassResult(NamedTuple):
    """One class's AP in 0…1, None where it is undefined, and its number of objects."""

    ap: float | None
    objects: int


class Detected(NamedTuple):
    """What was found in the validation split.

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
        name: as the user calls it.
        facts: commit, experiment, device, versions, in the order to show.
        params: parameters by dotted key.
        figures: numbers of the metrics files and of the error analysis, by dotted key, counts as
            int; what is undefined is missing.
        curves: `loss` and `val_AP` over steps, `precision` over recall, `f1` over the score;
            what was not measured is missing.
        classes: by name, in the order of the class ids.
        detected: what it found; None where that is not known.
        data: what stands for the validation set's content, the same where that is; "" if unknown.
        lacks: files that the revision does not have, or not in a form that can be read.
    """

    name: str
    facts: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    classes: Mapping[str, ClassResult] = field(default_factory=dict)
    detected: Detected | None = None
    data: str = ""
    lacks: Sequence[str] = ()
