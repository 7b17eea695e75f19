"""What a training reports as it goes; each kind knows its words for a log and its metrics."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ssdcore.core.history import COLUMNS

WATCHED = ("AP", "AP50")
"""Validation figures that are printed, tracked and written; the first one decides what is best."""


class Position(NamedTuple):
    """How far a training has come.

    Attributes:
        epoch: in which the next step is taken, from 1.
        in_epoch: steps of it that were taken.
        step: steps taken in all.
        updates: of these, the ones that changed the weights.
        bad: steps in a row, up to here, whose loss or gradient was no number.
    """

    epoch: int = 1
    in_epoch: int = 0
    step: int = 0
    updates: int = 0
    bad: int = 0


START = Position()


class StepReport(NamedTuple):
    """One optimisation step, counted from 1 over the whole training.

    Attributes:
        loss_scale: for the next step's gradient.
        images_per_second: of the whole group over the whole step, waiting for data included.
        updated: False where the loss or a gradient was not finite and the step was skipped.
        finite: False where no smaller loss scale can mend that.
        image_ids: of the step's images, in a group those of this process.
        waiting_s: part of the step spent on waiting for its images.
        computing_s: part of it spent on losses, gradients and weights.
        between_s: time between the step before it and this one, which is the caller's.
        after: where the training is now.
    """

    step: int
    epoch: int
    loss: float
    loss_box: float
    loss_class: float
    lr: float
    loss_scale: float
    images_per_second: float
    updated: bool
    finite: bool
    image_ids: tuple[int, ...]
    waiting_s: float
    computing_s: float
    between_s: float
    after: Position

    def metrics(self) -> dict[str, float]:
        """Returns the step's columns of the history."""
        return {name: value for name, value in self._asdict().items() if name in COLUMNS[1:]}

    def lines(self) -> list[str]:
        """Returns what a log should say of it: nothing, unless it was skipped."""
        if self.updated:
            return []
        if self.finite:
            return [
                f"step {self.step} skipped: its gradient overflowed; the loss scale is "
                f"{self.loss_scale:g} now"
            ]
        return [f"skipped {self.fault()}"]

    def fault(self) -> str:
        """Says what a step that is not finite was, so that it can be looked into."""
        return (
            f"step {self.step}: loss {self.loss:g} (box {self.loss_box:g}, class "
            f"{self.loss_class:g}) or its gradient is not finite, at learning rate {self.lr:g} and "
            f"loss scale {self.loss_scale:g}, image ids {list(self.image_ids)}"
        )


class EpochReport(NamedTuple):
    """The end of an epoch, or of a training that ends within one.

    Attributes:
        figures: validation figures by name, None where this epoch was not measured.
        after: where the training is now.
    """

    epoch: int
    step: int
    figures: dict[str, Any] | None
    after: Position

    def watched(self) -> dict[str, float]:
        """Returns those of the figures that decide; nothing where it was not measured."""
        return {} if self.figures is None else {name: self.figures[name] for name in WATCHED}

    def metrics(self) -> dict[str, float]:
        """Returns the watched figures under their names in tracking."""
        return {f"val/{name}": value for name, value in self.watched().items()}

    def lines(self) -> list[str]:
        """Returns the watched figures in words."""
        return [f"epoch {self.epoch}: {in_words(self.watched())}"] if self.figures else []


class Measurement(NamedTuple):
    """Validation figures in the middle of an epoch, because SIGUSR1 asked; they decide nothing."""

    step: int
    figures: Mapping[str, Any]

    def metrics(self) -> dict[str, float]:
        """Returns the watched figures under their names in tracking."""
        return {f"val/{name}": self.figures[name] for name in WATCHED}

    def lines(self) -> list[str]:
        """Returns the watched figures in words."""
        watched = {name: self.figures[name] for name in WATCHED}
        return [f"step {self.step}, as SIGUSR1 asked: {in_words(watched)}"]


class Remark(NamedTuple):
    """Something else that a reader of the log should know."""

    step: int
    text: str

    def metrics(self) -> dict[str, float]:
        """Returns nothing."""
        return {}

    def lines(self) -> list[str]:
        """Returns the text."""
        return [self.text]


Report = StepReport | EpochReport | Measurement | Remark


def in_words(figures: Mapping[str, float]) -> str:
    """Returns `AP 0.123, AP50 0.456`."""
    return ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
