"""The reports that the training loop yields: each has its lines for the log and its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ssdcore.models.metadata import ScoreThreshold

TRACKED = {
    "loss": "train/loss",
    "loss_box": "train/loss_box",
    "loss_class": "train/loss_class",
    "lr": "train/lr",
    "gradient_norm": "train/norm_of_gradients",
    "images_per_second": "train/speed_images_per_s",
    "val_AP": "val/AP",
    "val_AP50": "val/AP50",
}
"""Names in MLflow of the history's columns. It sorts charts by name, so losses come first."""

LR_BACKBONE = "train/lr_backbone"
"""Name in MLflow of the backbone's learning rate, which is tracked where it differs."""

WATCHED = ("AP", "AP50")
"""Validation figures that are printed, tracked and written; the first one selects the best."""

NO_AP = "no AP, since the validation images show no objects"


class Position(NamedTuple):
    """The progress of a training."""

    epoch: int = 1  # of the next step, from 1
    in_epoch: int = 0  # steps of this epoch that were taken
    step: int = 0  # steps taken in total
    updates: int = 0  # steps that changed the weights
    bad: int = 0  # number of last steps in a row without a finite loss and gradient
    best: float | None = None  # highest validation AP so far, None as long as there is none
    stale: int = 0  # measurements since AP last rose; 0 as long as it is 0 or undefined
    seconds: float = 0.0  # time spent on training, including the parts before an interruption

    def measured(self, ap: float | None) -> "Position":
        """Returns the position after a measurement of the validation AP, None if undefined."""
        if ap is None or not self.best or ap > self.best:
            return self._replace(best=self.best if ap is None else ap, stale=0)
        return self._replace(stale=self.stale + 1)


START = Position()


@dataclass(frozen=True)
class Report:
    """An event of the training."""

    step: int  # number of the last step, counted from 1 over the whole training

    def metrics(self) -> dict[str, float]:
        """Returns the values to track, by their names in tracking."""
        return {}

    def lines(self) -> list[str]:
        """Returns lines for the log."""
        return []


@dataclass(frozen=True)
class StepReport(Report):
    """An optimisation step.

    If `is_latest` is False, later steps were computed already; the network is as after them.
    """

    epoch: int
    loss: float
    loss_box: float
    loss_class: float
    lr: float
    lr_backbone: float  # frozen layers have none
    loss_scale: float  # for the gradient of the next step
    gradient_norm: float  # of all gradients, before they are bounded and clipped
    images_per_second: float  # of the whole group, including the wait for data
    updated: bool  # False if the loss or a gradient was not finite and the step was skipped
    finite: bool  # False if a smaller loss scale cannot help
    image_ids: tuple[int, ...]  # in a group, those of this process
    waiting_s: float  # for the images
    computing_s: float  # losses, gradients and update
    between_s: float  # that the caller took between the previous step and this one
    ends_epoch: bool  # also for the last step of a training without more time
    after: Position
    is_latest: bool = True

    def metrics(self) -> dict[str, float]:
        """Returns the losses, the learning rate and the speed by their names in tracking."""
        values = {TRACKED[name]: value for name, value in vars(self).items() if name in TRACKED}
        slow = {LR_BACKBONE: self.lr_backbone} if self.lr_backbone != self.lr else {}
        return values | slow

    def lines(self) -> list[str]:
        """Returns a line about a skipped step, otherwise nothing."""
        if self.updated:
            return []
        if self.finite:
            scale = f"the loss scale is {self.loss_scale:g} now"
            return [f"step {self.step} skipped: its gradient overflowed; {scale}"]
        return [f"skipped {self.fault()}"]

    def fault(self) -> str:
        """Describes a step that is not finite, with all that is needed to investigate it."""
        return (
            f"step {self.step}: loss {self.loss:g} (box {self.loss_box:g}, class "
            f"{self.loss_class:g}) or its gradient is not finite, at learning rate {self.lr:g} and "
            f"loss scale {self.loss_scale:g}, image ids {list(self.image_ids)}"
        )


@dataclass(frozen=True)
class Measurement(Report):
    """Validation figures by name; a measurement on SIGUSR1 does not affect the training."""

    figures: Mapping[str, Any] | None  # None if this epoch was not measured

    def watched(self) -> dict[str, float]:
        """Returns the watched figures, nothing without a measurement.

        COCO's -1, for figures that are undefined without objects, is left out.
        """
        figures = self.figures or {}
        return {name: figures[name] for name in WATCHED if figures and figures[name] >= 0}

    @property
    def score_threshold(self) -> ScoreThreshold | None:
        """The threshold of the highest F1; None if none was measured."""
        return (self.figures or {}).get("score_threshold")

    def metrics(self) -> dict[str, float]:
        """Returns the watched figures by their names in tracking."""
        return {f"val/{name}": value for name, value in self.watched().items()}

    def lines(self) -> list[str]:
        """Returns a line such as `epoch 3: AP 0.123, AP50 0.456`."""
        if self.figures is None:
            return []
        figures = ", ".join(f"{name} {value:.3f}" for name, value in self.watched().items())
        return [f"{self._when()}: {figures or NO_AP}"]

    def _when(self) -> str:
        return f"step {self.step}, measured on SIGUSR1"


@dataclass(frozen=True)
class EpochReport(Measurement):
    """The end of an epoch, or of a training that ends within one."""

    epoch: int
    after: Position

    @property
    def is_best(self) -> bool:
        """Whether no measurement so far has a higher AP; of equal ones the latest is the best."""
        return self.figures is not None and self.watched().get(WATCHED[0]) == self.after.best

    def _when(self) -> str:
        return f"epoch {self.epoch}"


@dataclass(frozen=True)
class Remark(Report):
    """A line for the log."""

    text: str

    def lines(self) -> list[str]:
        """Returns the text."""
        return [self.text]
