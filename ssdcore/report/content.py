"""The report's whole input: what the page shows is here, and nothing else is read."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssdcore.core.errors import InputError
from ssdcore.core.history import COLUMNS
from ssdcore.evaluation.analysis import Analysis
from ssdcore.params.schema import AugmentParams
from ssdcore.report.overlay import DetectionBox, ObjectBox


@dataclass(frozen=True)
class History:
    """How training went: one entry a logged step, all sequences of the same length.

    Attributes:
        step: optimizer steps since the start, rising.
        epoch: passes over the training set, may be fractional.
        loss: the loss that was minimised.
        loss_box: its localisation part.
        loss_class: its classification part.
        lr: learning rate of the step.
        images_per_second: training speed.
        val_ap: AP on the validation set in 0…1, None where it was not measured.
        val_ap50: the same at IoU 0.5.
    """

    step: Sequence[int]
    epoch: Sequence[float]
    loss: Sequence[float]
    loss_box: Sequence[float]
    loss_class: Sequence[float]
    lr: Sequence[float]
    images_per_second: Sequence[float]
    val_ap: Sequence[float | None]
    val_ap50: Sequence[float | None]

    @classmethod
    def read_csv(cls, path: Path) -> "History":
        """Reads the file that training writes, a row a logged step under `COLUMNS`.

        Raises:
            InputError: the header is another one, or a cell is not a number.
        """
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if tuple(header) != COLUMNS:
                raise InputError(
                    f"{path}:1",
                    ",".join(header),
                    ",".join(COLUMNS),
                    "Run the train stage again",
                )
            table = [_numbers(row, f"{path}:{rows.line_num}") for row in rows if row]
        columns = [[row[column] for row in table] for column in range(len(COLUMNS))]
        step, epoch, loss, loss_box, loss_class, lr, _, speed, val_ap, val_ap50 = columns
        return cls(
            step=[int(value) for value in step],
            epoch=epoch,
            loss=loss,
            loss_box=loss_box,
            loss_class=loss_class,
            lr=lr,
            images_per_second=speed,
            val_ap=[_measured(value) for value in val_ap],
            val_ap50=[_measured(value) for value in val_ap50],
        )


@dataclass(frozen=True)
class SplitSummary:
    """What the conversion made of one split.

    Attributes:
        name: as in the parameters (`train`, `val`).
        images: images that were kept.
        objects_by_class: kept boxes that are not crowds; a class without any may be missing.
        box_sizes: √(height · width) of each kept box as a fraction of the image, in 0…1.
        skipped: images left out, by reason.
        dropped: boxes left out, by reason.
        crowd: kept boxes that mark a crowd instead of one object.
        fitted: share of the objects with a default box of IoU 0.5 or more; None without objects.
        without_objects: kept images that show no object and no crowd.
        clipped: kept boxes that were cut at the border of their image.
        boxes_in_skipped: boxes that were left out with their images.
    """

    name: str
    images: int
    objects_by_class: Mapping[str, int]
    box_sizes: Sequence[float]
    skipped: Mapping[str, int]
    dropped: Mapping[str, int]
    crowd: int
    fitted: float | None
    without_objects: int = 0
    clipped: int = 0
    boxes_in_skipped: int = 0


@dataclass(frozen=True)
class GalleryImage:
    """A validation image without boxes, and the boxes to draw on it.

    Attributes:
        file_name: as in the annotation file.
        jpeg: the image, perhaps smaller than it was.
        width, height: of the original, in pixels.
        galleries: where it is shown, and at which place there, from 0.
        objects: the ground truth.
        detections: what was found, best first, also what is below the threshold.
    """

    file_name: str
    jpeg: bytes
    width: int
    height: int
    galleries: Mapping[str, int]
    objects: Sequence[ObjectBox]
    detections: Sequence[DetectionBox]


@dataclass(frozen=True)
class VariedImage:
    """A training image with the line below it, encoded as it is and then as it is varied."""

    caption: str
    jpegs: Sequence[bytes]


@dataclass(frozen=True)
class ReportContent:
    """Everything the page says.

    Attributes:
        title: the page's heading.
        params: the parameters as nested sections.
        environment: commit, versions, device and the like, shown in this order.
        history: how training went.
        metrics: `bbox` with the twelve COCO figures in 0…1 (-1: undefined), `images`,
            `images_per_second`; what is missing shows as a dash.
        analysis: what the detections say beyond them; its classes are in the order of their ids.
        splits: the data set, the training split first.
        default_box_scales: sides of the default boxes as fractions of the image.
        gallery: images with their ground truth and detections, in the order to show.
        score_threshold: from which on the detections are shown at first, in whole hundredths.
        strengths: how far training varied its images.
        variations: training images and their variations, in the order to show.
        commands: what to type to get this report again, a line each.
    """

    title: str
    params: Mapping[str, Any]
    environment: Mapping[str, str]
    history: History
    metrics: Mapping[str, Any]
    analysis: Analysis
    splits: Sequence[SplitSummary]
    default_box_scales: Sequence[float]
    gallery: Sequence[GalleryImage]
    score_threshold: float
    strengths: AugmentParams
    variations: Sequence[VariedImage]
    commands: Sequence[str] = ()


def _numbers(row: Sequence[str], place: str) -> list[float]:
    """Returns the cells as numbers, NaN for an empty one in the last two columns."""
    optional_from = len(COLUMNS) - 2
    if len(row) != len(COLUMNS):
        raise InputError(place, len(row), f"{len(COLUMNS)} cells")
    numbers = []
    for column, cell in enumerate(row):
        try:
            empty = not cell and column >= optional_from
            numbers.append(math.nan if empty else float(cell))
        except ValueError:
            place = f"{place}, {COLUMNS[column]}"
            raise InputError(place, cell, "a number") from None
    return numbers


def _measured(value: float) -> float | None:
    """Returns a validation figure, or None where it is absent or undefined (-1)."""
    return None if math.isnan(value) or value < 0 else value
