"""The analysis of a split as data: evaluation/analysis.json.

Every detection counts that the evaluation kept, 100 a class and image as in COCO's protocol.
`correct` means an IoU of 0.5 or more with a free object of its class; detections within a crowd
region of their class are neither right nor wrong. AP and AR are -1 where no object defines
them, as in COCO; other figures are None.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ssdcore.core.errors import InputError

Figure = float | None
AS_JSON = {"low": "from", "high": "to"}
"""Names of fields that are words of Python in the file."""


@dataclass(frozen=True)
class OperatingPoint:
    """All detections that score the threshold or more, all classes together.

    `correct` + `missed` are the objects, `correct` + `invented` the detections that count.
    """

    precision: Figure
    recall: Figure
    f1: Figure
    correct: int
    invented: int
    missed: int


@dataclass(frozen=True)
class ClassAnalysis:
    """One class.

    Attributes:
        name: as in the annotation file.
        AP: at IoU 0.5 … 0.95, like the other figures of COCO beside it.
        objects: all but crowd regions.
        detections: that score the overall threshold or more.
        threshold: the score that gives this class its highest F1; None without a correct one.
        precision: at this class's threshold, like `recall` and `f1`.
        correct: at the overall threshold, like `invented` and `missed`.
    """

    name: str
    AP: float
    AP50: float
    AP75: float
    AR1: float
    AR10: float
    AR100: float
    objects: int
    detections: int
    threshold: Figure
    precision: Figure
    recall: Figure
    f1: Figure
    correct: int
    invented: int
    missed: int


@dataclass(frozen=True)
class ScoreCurve:
    """Precision, recall and F1 of what scores `score` or more; `name` is None for all classes."""

    name: str | None
    score: list[float]
    precision: list[Figure]
    recall: list[Figure]
    f1: list[Figure]


@dataclass(frozen=True)
class PrCurve:
    """COCO's 101 points at IoU 0.5, none without objects; `name` is None for the classes' mean."""

    name: str | None
    recall: list[float]
    precision: list[float]


@dataclass(frozen=True)
class Confusion:
    """What is there (rows) and what was said (columns), each class and at last the background.

    A row sums up to the class's objects, a column to the class's detections that count.
    """

    names: list[str]
    counts: list[list[int]]


@dataclass(frozen=True)
class ErrorCost:
    """How often a kind of error occurs, and by how much AP50 would rise without it."""

    kind: str
    count: int
    AP50_cost: float


@dataclass(frozen=True)
class SizeRange:
    """Objects from one size to another, ends included, as COCO does; `high` None has no end.

    Attributes:
        low: a length: pixels, or a share of the image's side.
        high: likewise.
        objects: of this size.
        AP: as COCO computes it for an area range.
        AP50: likewise.
        recall: share of these objects that a correct detection at the overall threshold takes.
    """

    low: float
    high: Figure
    objects: int
    AP: float
    AP50: float
    recall: Figure


@dataclass(frozen=True)
class ScoreBin:
    """Detections by score: how many, their mean score, and the share that is correct."""

    low: float
    high: float
    detections: int
    mean_score: Figure
    precision: Figure


@dataclass(frozen=True)
class Calibration:
    """Whether scores are probabilities; `error` is the expected calibration error."""

    bins: list[ScoreBin]
    error: Figure


@dataclass(frozen=True)
class Analysis:
    """All of it.

    Attributes:
        threshold: the score with the highest F1 over all classes together; 0 without a correct
            detection.
        operating_point: what that gives.
        classes: in the order of their ids.
        score_curves: all together, then by class.
        pr_curves: their mean, then by class.
        confusion: at `threshold`.
        errors: after TIDE, at IoU 0.5.
        false_positives_cost: AP50 lost to wrong detections of all kinds.
        false_negatives_cost: AP50 lost to objects that no correct detection takes.
        sizes: by √area in pixels.
        shares: by √area as a share of the image's side √(height · width).
        calibration: of the scores.
    """

    threshold: float
    operating_point: OperatingPoint
    classes: list[ClassAnalysis]
    score_curves: list[ScoreCurve]
    pr_curves: list[PrCurve]
    confusion: Confusion
    errors: list[ErrorCost]
    false_positives_cost: float
    false_negatives_cost: float
    sizes: list[SizeRange]
    shares: list[SizeRange]
    calibration: Calibration

    @classmethod
    def read_json(cls, path: Path) -> "Analysis":
        """Reads what the evaluate stage wrote.

        Raises:
            InputError: the file is another version's.
        """
        content = json.loads(path.read_text(encoding="utf-8"))
        try:
            return cls._from_json(content)
        except (KeyError, TypeError) as error:
            expected = "the fields that this version writes"
            raise InputError(str(path), str(error), expected, "Run the evaluate stage") from error

    @classmethod
    def _from_json(cls, content: Mapping[str, Any]) -> "Analysis":
        return cls(
            **{
                **content,
                "operating_point": OperatingPoint(**content["operating_point"]),
                "classes": [ClassAnalysis(**row) for row in content["classes"]],
                "score_curves": [ScoreCurve(**row) for row in content["score_curves"]],
                "pr_curves": [PrCurve(**row) for row in content["pr_curves"]],
                "confusion": Confusion(**content["confusion"]),
                "errors": [ErrorCost(**row) for row in content["errors"]],
                "sizes": [SizeRange(**_from_file(row)) for row in content["sizes"]],
                "shares": [SizeRange(**_from_file(row)) for row in content["shares"]],
                "calibration": Calibration(
                    [ScoreBin(**_from_file(row)) for row in content["calibration"]["bins"]],
                    content["calibration"]["error"],
                ),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the file's content: plain numbers, text, None, lists and dictionaries."""
        return asdict(
            self, dict_factory=lambda items: {AS_JSON.get(name, name): v for name, v in items}
        )


def _from_file(row: Mapping[str, Any]) -> dict[str, Any]:
    field_of = {word: field for field, word in AS_JSON.items()}
    return {field_of.get(word, word): value for word, value in row.items()}
