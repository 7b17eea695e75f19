"""The report's whole input; the page reads nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ssdcore.core import layout
from ssdcore.core.messages import counted
from ssdcore.evaluation.named_table import Table
from ssdcore.params.loss_rise import Rise
from ssdcore.report import words

XywhPercent = tuple[float, float, float, float]  # left, top, width, height in percent of the image


class Box(NamedTuple):
    """An object of the ground truth, or a detection and its outcome.

    Attributes:
        xywh: where it is.
        kind: of an object `missed` or `truth`; of a detection one of `outcomes.KINDS`.
        label: its class, 1 … C-1.
        about: class of the object that a detection's outcome refers to, 0 if none; of an object
            its own.
        link: of a detection the index of that object, -1 if none; of an object `object` or `crowd`.
        score: of a detection, in 0…1; None of an object.
    """

    xywh: XywhPercent
    kind: str
    label: int
    about: int
    link: int | str
    score: float | None = None


@dataclass(frozen=True)
class GalleryImage:
    """An image of the evaluated split without boxes, and the boxes to draw on it.

    Attributes:
        file_name: as in the annotation file.
        jpeg: the image, possibly scaled down.
        width, height: of the original, in pixels.
        galleries: the galleries that show it, with its position in each, from 0.
        boxes: the ground truth, then the detections, best first, with those below the threshold.
    """

    file_name: str
    jpeg: bytes
    width: int
    height: int
    galleries: Mapping[str, int]
    boxes: Sequence[Box]


@dataclass(frozen=True)
class VariedImage:
    """An image with its caption, alone, or beside its variations or that of another split."""

    caption: str
    jpegs: Sequence[bytes]


@dataclass(frozen=True)
class ReportContent:
    """Everything the page shows.

    Attributes:
        title: the page's heading.
        made: date and time of the report.
        params: the parameters as nested sections.
        environment: commit, versions, device and the like, in the order to show.
        metrics: the content of metrics/evaluate.json; what is missing shows as a dash.
        validation: the content of metrics/validation.json.
        figures: images of what tables list, by the table's name, in the order of its rows.
        tables: by name, in the order to show: of the evaluation, of training, of the data set.
        gallery: images with their ground truth and detections, in the order to show.
        score_threshold: minimum score of the detections shown at first.
        variations: training images and their variations, in the order to show.
        commands: commands that make this report again, a line each.
        rise: where the training loss rose, None if it did not.
    """

    title: str
    made: str
    params: Mapping[str, Any]
    environment: Mapping[str, str]
    metrics: Mapping[str, Any]
    tables: Mapping[str, Table]
    gallery: Sequence[GalleryImage]
    score_threshold: float
    variations: Sequence[VariedImage]
    commands: Sequence[str] = ()
    rise: Rise | None = None
    validation: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Sequence[VariedImage]] = field(default_factory=dict)

    @property
    def evaluated(self) -> str:
        """The word for the split of the figures."""
        return layout.SPLIT_WORDS[self.metrics.get("split", "val")]

    @property
    def about_split(self) -> str:
        """Explains how training used the split of the figures."""
        if self.evaluated == layout.SPLIT_WORDS["val"]:
            return (
                "All figures are of the validation set, which the detector was not trained on. It "
                "chose the checkpoint, so AP may be lower on new images: measure on a test split."
            )
        ap = words.score(self.validation.get("bbox", {}).get("AP"))
        return (
            "All figures are of the test set, which neither trained the detector nor chose its "
            f"checkpoint. On the validation set, which chose it, AP is {ap}."
        )

    @property
    def copies(self) -> int:
        """The number of the evaluated images that another split has, too."""
        evaluated = self.metrics.get("split", "val")
        table = self.tables.get("same_images")
        rows = table.records() if table else []
        return len({row["image"] for row in rows if row["split"] == evaluated})

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of their ids."""
        return self.tables["per_class"].values("name")

    @property
    def about(self) -> list[str]:
        """Date, name of the run and size of the data set, for the top of the page."""
        run = self.environment.get("DVC experiment") or self.environment.get("commit")
        splits = ", ".join(
            f"{words.count(row['images'])} {row['split']} images"
            for row in self.tables["splits"].records()
        )
        classes = counted(len(self.classes), "class", "classes")
        data = f"{splits}, {classes}" if splits else ""
        return [part for part in (self.made, f"run {run}" if run else "", data) if part]

    @property
    def listed(self) -> list[Table]:
        """The tables whose rows people see."""
        return [table for table in self.tables.values() if table.listed]
